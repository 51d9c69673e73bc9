package sqlite

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// stallDisk stops the disk in the middle of the next commit, where it writes or
// where it syncs, until it is told to go on.
func stallDisk(v *faultvfs.VFS, at faultvfs.Op) (goOn func()) {
	then := stallDiskThen(v, at)
	return func() { then(nil) }
}

// stallDiskThen is stallDisk with a hook that is in place before the disk goes on.
func stallDiskThen(v *faultvfs.VFS, at faultvfs.Op) (goOn func(func(faultvfs.Op, faultvfs.Kind))) {
	open := make(chan struct{})
	v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
		if op == at && kind == faultvfs.WAL {
			<-open
		}
	})
	return func(hook func(faultvfs.Op, faultvfs.Kind)) {
		v.Hook(hook)
		close(open)
	}
}

// later does something that has to wait, and answers how it ended.
func later[T any](do func() (T, error)) (over func() (T, error)) {
	var got T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err = do()
	}()
	synctest.Wait()
	return func() (T, error) {
		<-done
		return got, err
	}
}

func cancelOne(ctx context.Context, s *Store, id uuid.UUID, c executor.Cancellation) (executor.CancelAnswer, error) {
	answers, err := s.Cancel(ctx, []uuid.UUID{id}, c)
	if err != nil {
		return executor.CancelAnswer{}, err
	}
	return answers[0], nil
}

// nextClaim waits for the store to have healed.
func nextClaim(t *testing.T, s *Store) executor.Lease {
	t.Helper()
	time.Sleep(2 * retryMost)
	l, err := claimAny(t.Context(), s)
	require.NoError(t, err)
	return l
}

// endsUncancelled runs a task to its end, of which no wish to cancel it is left.
func endsUncancelled(t *testing.T, s *Store, l executor.Lease) {
	t.Helper()
	l.OnRevoke(func(cause error) { require.Fail(t, "it was told to stop", cause) })
	recorded := make(chan error, 1)
	l.Finish(completed, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
	got, err := s.Get(t.Context(), l.Record().ID)
	require.NoError(t, err)
	require.Equal(t, schema.Completed, got.State)
	require.Zero(t, got.CancelRequestedAt)
}

// TestCancelOfATaskThatEndsAtOnce cancels a task while the disk stalls. The task is told
// to stop, and its end is recorded before the cancel is answered.
func TestCancelOfATaskThatEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		submit(t, s, newTask())
		l, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		synctest.Wait()
		goOn := stallDisk(v, faultvfs.Sync)
		l.OnRevoke(func(error) {
			goOn()
			recorded := make(chan error, 1)
			l.Finish(completed, func(err error) { recorded <- err })
			require.NoError(t, <-recorded)
		})
		a, err := cancelOne(t.Context(), s, l.Record().ID, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.Completed, a.Task.State)
		require.Equal(t, schema.OutcomeAlreadyFinished, a.Outcome)
		l.Release()
	})
}

// TestCancelBehindACancelThatFails cancels a task whose end is on its way to the
// disk, and does not come there.
func TestCancelBehindACancelThatFails(t *testing.T) {
	for _, window := range []int{windowTasks, smallWindow} {
		cancelBehindACancelThatFails(t, window)
	}
}

func cancelBehindACancelThatFails(t *testing.T, window int) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.window = window })
		r, other := newTask(), newTask()
		submit(t, s, r, other)
		goOn := stallDisk(v, faultvfs.Write)
		dropped := later(func() (executor.CancelAnswer, error) {
			return cancelOne(t.Context(), s, other.ID, executor.Cancellation{})
		})
		var over [3]func() (executor.CancelAnswer, error)
		for i := range over {
			over[i] = later(func() (executor.CancelAnswer, error) {
				return cancelOne(t.Context(), s, r.ID, executor.Cancellation{})
			})
		}
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL, 1)
		goOn()
		for i := range over {
			a, err := over[i]()
			require.NoError(t, err)
			require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable, i)
		}
		a, err := dropped()
		require.NoError(t, err)
		require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
		got, err := s.Get(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, got.State)
		l := nextClaim(t, s)
		require.Equal(t, r.ID, l.Record().ID, "it has its old place")
		endsUncancelled(t, s, l)
		a, err = cancelOne(t.Context(), s, other.ID, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeCancelled, a.Outcome, "it can be asked again")
	})
}

// TestCancelBehindAStartThatFails cancels a task that was about to be handed out.
func TestCancelBehindAStartThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		r := newTask()
		submit(t, s, r)
		goOn := stallDisk(v, faultvfs.Write)
		claimed := later(func() (executor.Lease, error) { return claimAny(t.Context(), s) })
		cancelled := later(func() (executor.CancelAnswer, error) {
			return cancelOne(t.Context(), s, r.ID, executor.Cancellation{})
		})
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL, 1)
		goOn()
		a, err := cancelled()
		require.NoError(t, err)
		require.ErrorIs(t, a.Err, executor.ErrStoreUnavailable)
		l, err := claimed()
		require.NoError(t, err)
		require.Equal(t, r.ID, l.Record().ID, "it is handed out when the disk takes it")
		endsUncancelled(t, s, l)
	})
}

// TestCancelAgainWhileTheDiskIsFull keeps one wish, however often a task is
// cancelled, and records it when it can.
func TestCancelAgainWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		l := claim(t, s)
		id, told := l.Record().ID, 0
		l.OnRevoke(func(error) { told++ })
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
		const times = 100
		for i := range times {
			a, err := cancelOne(t.Context(), s, id, executor.Cancellation{Reason: "why"})
			require.NoError(t, err)
			require.Equal(t, schema.OutcomeCancelling, a.Outcome)
			time.Sleep(time.Duration(i%3) * retryLeast)
		}
		require.Equal(t, times, told)
		s.mu.Lock()
		kept := len(s.entries)
		s.mu.Unlock()
		require.Equal(t, 1, kept)

		v.Heal()
		time.Sleep(2 * retryMost)
		require.NoError(t, s.Close())
		again, err := Open(t.Context(), s.options)
		require.NoError(t, err)
		defer again.Close()
		got, err := again.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, got.State, "as it ran with a wish to cancel it")
		require.Equal(t, "why", got.CancelReason)
	})
}

// TestCloseSaysHowManyResultsAreLost has a disk that stays full.
func TestCloseSaysHowManyResultsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		leases := []executor.Lease{claim(t, s), claim(t, s)}
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
		lost := 0
		for _, l := range leases {
			l.Finish(completed, func(err error) {
				require.ErrorIs(t, err, executor.ErrStoreUnavailable)
				lost++
			})
			l.Release()
		}
		time.Sleep(2 * retryMost)
		require.ErrorContains(t, s.Close(), "results not recorded: 2")
		require.Equal(t, 2, lost)
	})
}

// TestEventsKeepTheirOrderOverAFault has a start that is told while a commit is
// in flight that fails, and what comes after it when it has failed.
func TestEventsKeepTheirOrderOverAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		w, err := s.Watch(t.Context())
		require.NoError(t, err)
		defer w.Close()
		w.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
		l := claim(t, s)
		goOn := stallDisk(v, faultvfs.Write)
		refused := later(func() ([]executor.Submitted, error) {
			return s.Submit(t.Context(), []executor.Submission{newTask()})
		})
		require.NoError(t, l.Started(7))
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.IOERR_WRITE)
		goOn()
		_, err = refused()
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		require.NoError(t, l.Progress(schema.Progress{Value: 1}))
		require.NoError(t, l.Write(schema.Stdout, []byte("x")))
		v.Heal()
		recorded := make(chan error, 1)
		l.Finish(completed, func(err error) { recorded <- err })
		l.Release()
		require.NoError(t, <-recorded)
		w.Barrier(t.Context())
		var kinds []executor.EventKind
		for len(kinds) == 0 || kinds[len(kinds)-1] != executor.EventBarrier {
			events, err := w.Next(t.Context())
			require.NoError(t, err)
			for _, ev := range events {
				kinds = append(kinds, ev.Kind)
			}
		}
		require.Equal(t, []executor.EventKind{
			executor.EventStarted, executor.EventProgress, executor.EventOutput, executor.EventFinished, executor.EventBarrier,
		}, kinds)
	})
}

// TestCancelOfLargeTasks answers the first of many large tasks, and has not touched the others.
func TestCancelOfLargeTasks(t *testing.T) {
	s, _ := faulty(t, faultvfs.Options{}, withWindow(1))
	large := func(r *executor.Submission) {
		r.Input = slices.Concat([]byte(`"`), bytes.Repeat([]byte("x"), 2<<20), []byte(`"`))
	}
	var ids []uuid.UUID
	for range 8 {
		r := newTask(large)
		submit(t, s, r)
		ids = append(ids, r.ID)
	}
	runOne(t, s, executor.Outcome{State: schema.Completed, Result: newTask(large).Input})
	calls := 0
	for left := ids; len(left) > 0; calls++ {
		answers, err := s.Cancel(t.Context(), left, executor.Cancellation{})
		require.NoError(t, err)
		require.NotEmpty(t, answers)
		for i, a := range answers {
			require.NoError(t, a.Err)
			require.Equal(t, left[i], a.Task.ID)
			require.Equal(t, left[i] == ids[0], a.Outcome == schema.OutcomeAlreadyFinished)
		}
		left = left[len(answers):]
		for _, id := range left {
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, schema.Queued, got.State)
		}
	}
	require.Greater(t, calls, 2)
}

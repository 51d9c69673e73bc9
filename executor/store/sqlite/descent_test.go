package sqlite

import (
	"context"
	"errors"
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

// This file has cancels that end on their way down a tree.

// cancelTop is the first half of a cancel: that of the task itself, without what is below it.
func cancelTop(t *testing.T, s *Store, id uuid.UUID) {
	t.Helper()
	e := &cancellation{cancel: executor.Cancellation{Reason: "no"}, store: s}
	_, err := s.cancelThese(t.Context(), []uuid.UUID{id}, e)
	require.NoError(t, err)
}

// belowIsCancelled holds that tasks were cancelled with one above them.
func belowIsCancelled(t *testing.T, s *Store, top uuid.UUID, below ...uuid.UUID) {
	t.Helper()
	for _, id := range below {
		found, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, found.State)
		require.Equal(t, "with "+top.String()+": no", found.CancelReason)
	}
}

// oneBelow submits a child of a task.
func oneBelow(t *testing.T, s *Store, parent uuid.UUID) uuid.UUID {
	t.Helper()
	child := newTask(childOf(parent))
	submit(t, s, child)
	return child.ID
}

// TestRetentionKeepsATaskUntilAllBelowItIsCancelled kills a store that keeps no tasks which have
// ended, when the cancel of a task is recorded, and that of its children is not.
func TestRetentionKeepsATaskUntilAllBelowItIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(o *Options) { o.Keep = -1 })
		top, other := newTask(), newTask()
		submit(t, s, top, other)
		below := oneBelow(t, s, top.ID)
		cancelTop(t, s, top.ID)
		_, err := s.Cancel(t.Context(), []uuid.UUID{other.ID}, executor.Cancellation{})
		require.NoError(t, err)
		synctest.Wait()
		o := s.options
		require.NoError(t, s.Close())

		o.Keep = 10
		s, err = Open(t.Context(), o)
		require.NoError(t, err)
		synctest.Wait()
		belowIsCancelled(t, s, top.ID, below)
		require.Empty(t, s.descents)
		require.NoError(t, s.Close())

		o.Keep = -1
		s, err = Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		counts, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.Zero(t, counts.TaskCounts, "nothing is kept for longer than that")
	})
}

// TestWhatIsBelowAnEndedTaskIsCancelledAfterAKill has a task that has ended between one that is
// cancelled and one that waits.
func TestWhatIsBelowAnEndedTaskIsCancelledAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		top := claim(t, s)
		id := top.Record().ID
		middle := oneBelow(t, s, id)
		lowest := oneBelow(t, s, oneBelow(t, s, middle))
		require.Equal(t, middle, runOne(t, s, completed))
		cancelTop(t, s, id)
		finishAs(t, top, completed)
		o := s.options
		require.NoError(t, s.Close())

		s, err := Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		synctest.Wait()
		belowIsCancelled(t, s, id, lowest)
	})
}

// TestWhatIsBelowAForgottenTaskIsCancelledAfterAKill has a task between one that is cancelled and two
// that run or wait, which was no longer kept before.
func TestWhatIsBelowAForgottenTaskIsCancelledAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(o *Options) { o.Keep = -1 })
		top := claim(t, s)
		id := top.Record().ID
		middle := oneBelow(t, s, id)
		l := nextClaim(t, s)
		require.Equal(t, middle, l.Record().ID)
		runs := newTask(childOf(middle), func(r *executor.Submission) { r.Rerun = true })
		submit(t, s, runs)
		waits := oneBelow(t, s, middle)
		lowest := oneBelow(t, s, waits)
		finishAs(t, l, completed)
		synctest.Wait()
		_, err := s.Get(t.Context(), middle)
		require.ErrorIs(t, err, executor.ErrNotFound)
		causes := make(chan error, 8)
		running := nextClaim(t, s)
		require.Equal(t, runs.ID, running.Record().ID)
		running.OnRevoke(func(cause error) { causes <- cause })
		synctest.Wait()
		cancelTop(t, s, id)
		synctest.Wait()
		require.Len(t, causes, 1)
		require.ErrorContains(t, <-causes, "with "+id.String()+": no")
		o := s.options
		require.NoError(t, s.Close())

		o.Keep = 10
		s, err = Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		synctest.Wait()
		found, err := s.Get(t.Context(), runs.ID)
		require.NoError(t, err)
		require.Equal(t, "with "+id.String()+": no", found.CancelReason)
		found, err = s.Get(t.Context(), lowest)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, found.State)
		counts, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.Zero(t, counts.Queued)
		require.Zero(t, counts.Running)
	})
}

// TestACancelThatIsGivenUpGoesDown has callers that give up while the disk stalls: before the task
// itself is recorded, and on the way down.
func TestACancelThatIsGivenUpGoesDown(t *testing.T) {
	for name, stalled := range map[string]int{"at once": 1, "on the way down": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{})
				top := newTask()
				submit(t, s, top)
				child := oneBelow(t, s, top.ID)
				below := []uuid.UUID{child, oneBelow(t, s, child)}
				syncs, open := 0, make(chan struct{})
				v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
					if op == faultvfs.Sync && kind == faultvfs.WAL {
						if syncs++; syncs == stalled {
							<-open
						}
					}
				})
				ctx, giveUp := context.WithTimeout(t.Context(), time.Second)
				defer giveUp()
				_, err := cancelOne(ctx, s, top.ID, executor.Cancellation{Reason: "no"})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				close(open)
				synctest.Wait()
				belowIsCancelled(t, s, top.ID, below...)
				require.Empty(t, s.descents)
			})
		})
	}
}

// TestACancelGoesDownWhenTheDiskIsBack has a disk that is full when a running task is told to stop,
// or when those below it are to be cancelled.
func TestACancelGoesDownWhenTheDiskIsBack(t *testing.T) {
	for name, full := range map[string]int{"at once": 1, "on the way down": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{})
				top := claim(t, s)
				id := top.Record().ID
				child := oneBelow(t, s, id)
				below := []uuid.UUID{child, oneBelow(t, s, child)}
				syncs := 0
				v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
					if op == faultvfs.Sync && kind == faultvfs.WAL {
						syncs++
					}
					if syncs == full-1 && op == faultvfs.Write && kind == faultvfs.WAL {
						v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
					}
				})
				a, err := cancelOne(t.Context(), s, id, executor.Cancellation{Reason: "no"})
				require.NoError(t, err)
				require.Equal(t, schema.OutcomeCancelling, a.Outcome, "a full disk does not prevent it")
				found, err := s.Get(t.Context(), child)
				require.NoError(t, err)
				require.Equal(t, schema.Queued, found.State)
				v.Hook(nil)
				v.Heal()
				time.Sleep(2 * retryMost)
				synctest.Wait()
				belowIsCancelled(t, s, id, below...)
				require.Empty(t, s.descents)
			})
		})
	}
}

// TestWhatIsBelowATaskThatCannotBeCancelledRunsOn has a full disk when a task that waits is to be
// cancelled, and a child of it runs.
func TestWhatIsBelowATaskThatCannotBeCancelledRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		top := newTask(func(r *executor.Submission) { r.Priority = -1 })
		submit(t, s, top)
		child := oneBelow(t, s, top.ID)
		l := claim(t, s)
		require.Equal(t, child, l.Record().ID)
		l.OnRevoke(func(cause error) { t.Error(cause) })
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
		a, err := cancelOne(t.Context(), s, top.ID, executor.Cancellation{})
		require.ErrorIs(t, errors.Join(err, a.Err), executor.ErrStoreUnavailable)
		v.Heal()
		time.Sleep(2 * retryMost)
		finishAs(t, l, completed)
		found, err := s.Get(t.Context(), top.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, found.State)
		require.Empty(t, s.descents)
	})
}

package sqlite

import (
	"context"
	"errors"
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

var errEnoughWaited = errors.New("waited long enough")

// stalled does something with a disk that answers nothing, until its context
// ends.
func stalled(t *testing.T, v *faultvfs.VFS, do func(context.Context) error) (goOn func(), err error) {
	t.Helper()
	goOn = stallDisk(v, faultvfs.Sync)
	ctx, end := context.WithCancelCause(t.Context())
	over := later(func() (struct{}, error) { return struct{}{}, do(ctx) })
	end(errEnoughWaited)
	_, err = over()
	return goOn, err
}

// TestSubmitToAStalledDisk gives a submit up that is on its way to the disk, and
// one that waits behind it.
func TestSubmitToAStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		tasks := []executor.Submission{newTask(), newTask()}
		goOn := stallDisk(v, faultvfs.Sync)
		ctx, end := context.WithCancelCause(t.Context())
		var over [2]func() ([]executor.Submitted, error)
		for i := range over {
			over[i] = later(func() ([]executor.Submitted, error) { return s.Submit(ctx, tasks[i:i+1]) })
		}
		end(errEnoughWaited)
		for i, says := range []string{"whether the change is done is not known; submit with the same id again", "it was not recorded; submit again"} {
			_, err := over[i]()
			require.ErrorIs(t, err, executor.ErrStoreUnavailable)
			require.ErrorIs(t, err, errEnoughWaited)
			require.ErrorContains(t, err, says)
		}
		for range 100 {
			_, err := s.Submit(ctx, []executor.Submission{newTask()})
			require.ErrorIs(t, err, errEnoughWaited)
		}
		require.Empty(t, s.entries, "what was given up does not pile up")
		given := slices.Clone(tasks)
		clear(tasks) // the slice is the caller's again
		goOn()
		synctest.Wait()
		answers, err := s.Submit(t.Context(), given)
		require.NoError(t, err)
		for i, a := range answers {
			require.NoError(t, a.Err)
			require.Equal(t, i == 0, a.Existing)
		}
	})
}

func TestCancelOnAStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		l := claim(t, s)
		waits := newTask()
		submit(t, s, waits)
		told := make(chan error, 2)
		l.OnRevoke(func(cause error) { told <- cause })
		goOn, err := stalled(t, v, func(ctx context.Context) error {
			_, err := s.Cancel(ctx, []uuid.UUID{l.Record().ID, waits.ID}, executor.Cancellation{Reason: "why"})
			return err
		})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		require.ErrorIs(t, err, errEnoughWaited)
		require.ErrorContains(t, err, "whether the change is done is not known; cancel again")
		require.Equal(t, &executor.Cancellation{Reason: "why"}, <-told, "what runs can be stopped")
		goOn()
		synctest.Wait()
		require.Empty(t, told, "once is enough")
		for id, state := range map[uuid.UUID]schema.State{l.Record().ID: schema.Running, waits.ID: schema.Cancelled} {
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, state, got.State)
			require.Equal(t, "why", got.CancelReason)
		}
	})
}

// TestCancelTellsFirstWhereTheDiskStalls: what runs is told at once, and the
// answer waits for the disk only where something else is cancelled, too.
func TestCancelTellsFirstWhereTheDiskStalls(t *testing.T) {
	for name, alone := range map[string]bool{"what runs alone": true, "and what waits": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{})
				l := claim(t, s)
				waits := newTask()
				submit(t, s, waits)
				ids := []uuid.UUID{l.Record().ID, waits.ID}
				if alone {
					ids = ids[:1]
				}
				told := make(chan error, 2)
				l.OnRevoke(func(cause error) { told <- cause })
				goOn := stallDisk(v, faultvfs.Sync)
				began := time.Now()
				over := later(func() ([]executor.CancelAnswer, error) {
					return s.Cancel(t.Context(), ids, executor.Cancellation{Reason: "why"})
				})
				require.Equal(t, &executor.Cancellation{Reason: "why"}, <-told)
				require.Equal(t, tellWithoutRecordAfter, time.Since(began))
				if !alone {
					goOn()
				}
				answers, err := over()
				require.NoError(t, err)
				require.Equal(t, schema.OutcomeCancelling, answers[0].Outcome)
				require.Equal(t, "why", answers[0].Task.CancelReason)
				require.NotZero(t, answers[0].Task.CancelRequestedAt)
				if alone {
					got, err := s.Get(t.Context(), ids[0])
					require.NoError(t, err)
					require.Equal(t, "why", got.CancelReason)
					goOn()
				}
				synctest.Wait()
				require.Empty(t, told, "once is enough")
				l.Finish(executor.Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled}}, func(error) {})
				l.Release()
				synctest.Wait()
				got, err := s.Get(t.Context(), ids[0])
				require.NoError(t, err)
				require.Equal(t, schema.Cancelled, got.State)
				require.Equal(t, "why", got.CancelReason)
			})
		})
	}
}

// TestCancelShowsOnlyEndsThatAreRecorded: a task is finished already where its
// end is on its way to the disk, and is answered so when it is there.
func TestCancelShowsOnlyEndsThatAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		ends := claim(t, s)
		waits := newTask()
		submit(t, s, waits)
		goOn := stallDisk(v, faultvfs.Sync)
		ends.Finish(executor.Outcome{State: schema.Completed, Result: []byte("{}")}, func(error) {})
		cancel := func(id uuid.UUID) func() ([]executor.CancelAnswer, error) {
			over := later(func() ([]executor.CancelAnswer, error) {
				return s.Cancel(t.Context(), []uuid.UUID{id}, executor.Cancellation{})
			})
			time.Sleep(2 * tellWithoutRecordAfter)
			return over
		}
		first, second, third := cancel(waits.ID), cancel(waits.ID), cancel(ends.Record().ID)
		goOn()
		for _, want := range []struct {
			over    func() ([]executor.CancelAnswer, error)
			outcome schema.CancelOutcome
			state   schema.State
		}{
			{first, schema.OutcomeCancelled, schema.Cancelled},
			{second, schema.OutcomeAlreadyFinished, schema.Cancelled},
			{third, schema.OutcomeAlreadyFinished, schema.Completed},
		} {
			answers, err := want.over()
			require.NoError(t, err)
			require.Equal(t, want.outcome, answers[0].Outcome)
			require.Equal(t, want.state, answers[0].Task.State)
		}
	})
}

// TestCancelsOnAStalledDiskDoNotPileUp repeats the cancel of a task that runs, and of
// one that waits.
func TestCancelsOnAStalledDiskDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		l, waits := claim(t, s), newTask()
		submit(t, s, waits)
		goOn := stallDisk(v, faultvfs.Sync)
		later(func() ([]executor.Submitted, error) { return s.Submit(t.Context(), []executor.Submission{newTask()}) })
		synctest.Wait()
		for range 50 {
			for _, id := range []uuid.UUID{l.Record().ID, waits.ID} {
				ctx, end := context.WithTimeout(t.Context(), time.Second)
				_, err := s.Cancel(ctx, []uuid.UUID{id}, executor.Cancellation{Reason: "why"})
				end()
				if id == waits.ID {
					require.ErrorIs(t, err, executor.ErrStoreUnavailable)
				} else {
					require.NoError(t, err)
				}
			}
		}
		require.Len(t, s.entries, 2, "one for each task")
		goOn()
		synctest.Wait()
		for id, state := range map[uuid.UUID]schema.State{l.Record().ID: schema.Running, waits.ID: schema.Cancelled} {
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, state, got.State)
			require.Equal(t, "why", got.CancelReason)
		}
	})
}

// TestOutputWhileTheDiskStalls: events that wait behind a commit are all there
// afterwards where somebody is to have all output, and few where nobody is.
func TestOutputWhileTheDiskStalls(t *testing.T) {
	const writes, few = 10_000, 6000
	for _, whole := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, v := faulty(t, faultvfs.Options{})
			w, err := s.Watch(t.Context())
			require.NoError(t, err)
			defer w.Close()
			r := newTask()
			r.Owner, r.Events = w.ID(), executor.AllEvents
			submit(t, s, r)
			l, err := claimAny(t.Context(), s)
			require.NoError(t, err)
			if whole {
				w.KeepOutput(r.ID, true)
			}
			goOn := stallDisk(v, faultvfs.Sync)
			over := later(func() ([]executor.Submitted, error) { return s.Submit(t.Context(), []executor.Submission{newTask()}) })
			for n := range writes {
				require.NoError(t, l.Write(schema.Stream(n%2), []byte{'x'}))
			}
			goOn()
			_, err = over()
			require.NoError(t, err)
			synctest.Wait()
			events, err := w.Next(t.Context())
			require.NoError(t, err)
			if !whole {
				require.Less(t, len(events), few)
				return
			}
			require.Len(t, events, writes)
			ends := [2]int64{}
			for _, ev := range events {
				require.Equal(t, ends[ev.Stream], ev.Offset)
				ends[ev.Stream] = ev.End
			}
		})
	}
}

// TestClaimOnAStalledDisk gives a claim up whose start is recorded after all.
func TestClaimOnAStalledDisk(t *testing.T) {
	gaveUp := func(t *testing.T) (c executor.Claimer, s *Store, v *faultvfs.VFS, id uuid.UUID, goOn func()) {
		s, v = faulty(t, faultvfs.Options{})
		r := newTask()
		submit(t, s, r)
		c, err := s.Join(t.Context(), executor.Offer{Limits: executor.TypeLimits{"plain": 1}})
		require.NoError(t, err)
		goOn, err = stalled(t, v, func(ctx context.Context) error {
			_, err := c.Claim(ctx, executor.Ended{})
			return err
		})
		require.ErrorIs(t, err, errEnoughWaited)
		return c, s, v, r.ID, goOn
	}
	leftQueued := func(t *testing.T, s *Store, id uuid.UUID) {
		require.NoError(t, s.Close())
		again, err := Open(t.Context(), s.options)
		require.NoError(t, err)
		defer again.Close()
		got, err := again.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, got.State, "it was not interrupted")
	}
	for name, test := range map[string]func(t *testing.T){
		"it goes to who waits": func(t *testing.T) {
			c, s, _, id, goOn := gaveUp(t)
			claimed := later(func() (executor.Lease, error) { return c.Claim(t.Context(), executor.Ended{}) })
			goOn()
			l, err := claimed()
			require.NoError(t, err)
			require.Equal(t, id, l.Record().ID)
			require.Equal(t, int32(1), l.Record().Attempt)
			endsUncancelled(t, s, l)
			require.Zero(t, s.ahead)
		},
		"it waits for the next process": func(t *testing.T) {
			_, s, _, id, goOn := gaveUp(t)
			goOn()
			synctest.Wait()
			counts, err := s.Counts(t.Context())
			require.NoError(t, err)
			require.Equal(t, schema.TaskCounts{Queued: 1}, counts.TaskCounts)
			leftQueued(t, s, id)
		},
		"the disk fails before it is as it was": func(t *testing.T) {
			_, s, v, id, goOn := gaveUp(t)
			v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL)
			goOn()
			synctest.Wait()
			require.NotEmpty(t, s.Info().Fault)
			v.Heal()
			time.Sleep(2 * retryMost)
			leftQueued(t, s, id)
		},
		"it can be cancelled meanwhile": func(t *testing.T) {
			c, s, _, id, goOn := gaveUp(t)
			cancelled := later(func() (executor.CancelAnswer, error) {
				return cancelOne(t.Context(), s, id, executor.Cancellation{Reason: "why"})
			})
			goOn()
			a, err := cancelled()
			require.NoError(t, err)
			require.Equal(t, schema.OutcomeCancelling, a.Outcome)
			synctest.Wait()
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, schema.Cancelled, got.State, "there is nobody to stop it")
			require.Equal(t, "why", got.CancelReason)
			submit(t, s, newTask())
			_, err = c.Claim(t.Context(), executor.Ended{})
			require.NoError(t, err, "its place is free")
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

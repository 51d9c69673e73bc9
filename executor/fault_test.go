package executor_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/schema"
)

// withFaults runs a test on a store that fails as the test wishes.
func withFaults(t *testing.T, o executor.Options, test func(r *rig, s *storetest.FaultyStore)) {
	t.Helper()
	open := func() executor.Store { return storetest.Faulty(memory.New(memory.Options{})) }
	withStore(t, o, open, func(r *rig) { test(r, r.store.(*storetest.FaultyStore)) })
}

func TestSubmitThatTheStoreCannotRecord(t *testing.T) {
	withFaults(t, executor.Options{}, func(r *rig, s *storetest.FaultyStore) {
		s.Fail("Submit", 1)
		record, err := r.Prepare(&schema.SubmitParams{Type: "nap"})
		require.NoError(r, err)
		_, err = r.Submit(r.Context(), []executor.Submission{record})
		require.ErrorIs(r, err, executor.ErrStoreUnavailable)
		_, err = r.Status(r.Context(), record.ID)
		require.ErrorIs(r, err, executor.ErrNotFound)
		require.Zero(r, r.stats().Totals.Submitted)
		r.inState(r.of("nap"), schema.Completed)
	})
}

func TestRequestsThatTheStoreCannotAnswer(t *testing.T) {
	withFaults(t, executor.Options{}, func(r *rig, s *storetest.FaultyStore) {
		id := r.of("nap")
		r.inState(id, schema.Completed)
		ctx := r.Context()
		for method, call := range map[string]func() error{
			"Get":    func() error { _, err := r.Status(ctx, id); return err },
			"List":   func() error { _, err := r.List(ctx, executor.Filter{}, executor.PageRequest{Limit: 1}); return err },
			"Cancel": func() error { _, _, err := r.Cancel(ctx, id, executor.Cancellation{}); return err },
			"Watch":  func() error { _, err := r.Watch(ctx); return err },
			"Counts": func() error { _, err := r.Stats(ctx); return err },
			"Replay": func() error { _, err := r.Replay(ctx, 0, 1, 1); return err },
			"Output": func() error {
				_, err := r.Output(ctx, id, schema.Stdout, executor.OutputRange{Limit: 1})
				return err
			},
		} {
			s.Fail(method, s.Calls(method)+1)
			require.ErrorIs(r, call(), executor.ErrStoreUnavailable, method)
			require.NoError(r, call(), method)
		}
	})
}

func TestClaimIsTriedAgain(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		s.Fail("Claim", 2, 3, 4)
		first, second := r.of("nap"), r.of("nap")
		r.inState(first, schema.Completed)
		r.inState(second, schema.Queued)
		require.Contains(r, r.log.String(), "the store gives out no tasks")
		r.pass(time.Second)
		r.inState(second, schema.Completed)
	})
}

func TestShutdownWhileTheStoreGivesOutNoTasks(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		r.stats()
		s.Break("Claim")
		r.of("nap") // the first claim is waiting already
		left := r.of("nap")
		r.inState(left, schema.Queued)
		end := r.shutdown(schema.ShutdownDrain, time.Second)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Cancelled: 1}, end.result)
		require.Equal(r, time.Second, end.after)
	})
}

func TestEndIsRecordedWhenTheStoreIsBack(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		w := r.watchAll()
		id := r.submit(nap(time.Second))
		r.inState(id, schema.Running)
		s.Stall("the disk is full")
		r.pass(time.Minute)
		r.inState(id, schema.Running)
		require.Equal(r, "the disk is full", r.stats().Store.Fault)
		require.Zero(r, r.stats().Totals.Completed, "what is not recorded does not count")
		s.Resume()
		r.inState(id, schema.Completed)
		events := r.drain(w)
		require.Equal(r, executor.EventFinished, events[len(events)-1].Kind)
		require.Equal(r, int64(1), r.stats().Totals.Completed)
	})
}

func TestEndThatTheStoreCannotRecord(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		s.Fail("Finish", 1)
		lost, next := r.of("nap"), r.of("nap")
		r.pass(time.Second)
		r.inState(lost, schema.Running)
		require.Contains(r, r.log.String(), "could not be recorded")
		require.Contains(r, r.log.String(), lost.String())
		r.inState(next, schema.Completed) // the slot is free
		require.Equal(r, int64(1), r.stats().Totals.Completed, "what is not recorded does not count")
		end := r.shutdown(schema.ShutdownDrain, 0)
		require.True(r, end.over(), "nothing to wait for")
		require.Equal(r, schema.ShutdownResult{Left: 1}, end.result)
	})
}

func TestEventsThatTheStoreCannotRecordStopNoTask(t *testing.T) {
	withFaults(t, executor.Options{Types: []executor.Type{reporter(time.Second, steps(1, 2)...)}}, func(r *rig, s *storetest.FaultyStore) {
		s.Break("Started")
		s.Break("Progress")
		id := r.of("report")
		r.pass(3 * time.Second)
		r.inState(id, schema.Completed)
		require.Equal(r, 2, s.Calls("Progress"))
	})
}

// TestShutdownOfABrokenStore ends all the same: the tasks are told to stop
// without the store, and Run says what was wrong.
func TestShutdownOfABrokenStore(t *testing.T) {
	for name, c := range map[string]struct {
		mode   schema.ShutdownMode
		broken []string
	}{
		"it cannot list":            {schema.ShutdownCancel, []string{"List"}},
		"it cannot cancel":          {schema.ShutdownCancel, []string{"Cancel"}},
		"it cannot count":           {schema.ShutdownCancel, []string{"Counts"}},
		"it can do nothing of that": {schema.ShutdownCancel, []string{"List", "Cancel", "Counts", "Finish"}},
		"it cannot be drained":      {schema.ShutdownDrain, []string{"Counts"}},
	} {
		t.Run(name, func(t *testing.T) {
			withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
				id := r.submit(nap(time.Hour))
				r.inState(id, schema.Running)
				for _, method := range c.broken {
					s.Break(method)
				}
				end := r.shutdown(c.mode, 0)
				<-end.done
				require.Less(r, end.after, 2*time.Second)
				err := <-r.over
				r.over <- err
				require.Equal(r, slices.Contains(c.broken, "Counts"), errors.Is(err, executor.ErrStoreUnavailable), err)
			})
		})
	}
}

// TestShutdownCancelsTheQueueAtAnotherTry has more than one way to fail.
func TestShutdownCancelsTheQueueAtAnotherTry(t *testing.T) {
	for _, method := range []string{"List", "Cancel"} {
		for mode, running := range map[schema.ShutdownMode]schema.State{
			schema.ShutdownCancel: schema.Cancelled, schema.ShutdownFinish: schema.Completed,
		} {
			withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
				id, queued := r.submit(nap(10*time.Second)), r.of("nap")
				r.inState(id, schema.Running)
				s.Fail(method, 1, 2)
				end := r.shutdown(mode, 0)
				<-end.done
				require.NoError(r, r.runError())
				require.Zero(r, end.result.Left, method)
				r.inState(id, running)
				r.inState(queued, schema.Cancelled)
			})
		}
	}
}

func TestShutdownThatCannotCancelTheQueue(t *testing.T) {
	for _, mode := range []schema.ShutdownMode{schema.ShutdownCancel, schema.ShutdownFinish} {
		withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
			id, queued := r.submit(nap(10*time.Second)), r.of("nap")
			r.inState(id, schema.Running)
			s.Break("Cancel")
			end := r.shutdown(mode, 0)
			<-end.done
			require.Less(r, end.after, 13*time.Second)
			require.Equal(r, int64(1), end.result.Left)
			require.ErrorIs(r, r.runError(), executor.ErrStoreUnavailable)
			require.True(r, r.task(id).State.Final())
			r.inState(queued, schema.Queued)
		})
	}
}

func TestShutdownSurvivesAFaultyCount(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		s.Fail("Counts", 1, 2)
		id := r.submit(nap(time.Minute))
		end := r.shutdown(schema.ShutdownDrain, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1}, end.result)
		r.inState(id, schema.Completed)
	})
}

func TestStoreThatIsClosedTooSoon(t *testing.T) {
	withFaults(t, executor.Options{Limit: 2}, func(r *rig, s *storetest.FaultyStore) {
		r.submit(nap(time.Hour))
		r.pass(time.Second)
		require.NoError(r, s.Close())
		r.Begin(schema.ShutdownCancel)
		err := <-r.over
		r.over <- err
		require.ErrorIs(r, err, executor.ErrClosed)
	})
}

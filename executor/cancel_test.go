package executor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

func TestCancelQueuedTask(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running, queued := r.submit(nap(time.Second)), r.submit(nap(time.Second))
		r.inState(running, schema.Running)
		require.Equal(r, schema.OutcomeCancelled, r.cancel(queued, executor.Cancellation{Reason: "not needed"}))
		got := r.inState(queued, schema.Cancelled)
		require.Equal(r, schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled: not needed"}, *got.Error)
		require.Zero(r, got.StartedAt)
		r.pass(time.Second)
		r.inState(running, schema.Completed)
		require.Equal(r, schema.OutcomeAlreadyFinished, r.cancel(running, executor.Cancellation{}))
		r.inState(running, schema.Completed)
	})
}

func TestCancelUnknownTask(t *testing.T) {
	withRig(t, executor.Options{}, func(r *rig) {
		_, _, err := r.Cancel(r.Context(), uuid.New(), executor.Cancellation{})
		require.ErrorIs(r, err, executor.ErrNotFound)
	})
}

func TestCancelEndsTheContextWithItsCause(t *testing.T) {
	var cause, err error
	waits := coded("waits", func(ctx context.Context) error {
		<-ctx.Done()
		cause, err = context.Cause(ctx), ctx.Err()
		return err
	})
	withRig(t, executor.Options{Types: []executor.Type{waits}}, func(r *rig) {
		id := r.of("waits")
		r.inState(id, schema.Running)
		require.Equal(r, schema.OutcomeCancelling, r.cancel(id, executor.Cancellation{Reason: "enough"}))
		got := r.inState(id, schema.Cancelled)
		var c *executor.Cancellation
		require.ErrorAs(r, cause, &c)
		require.Equal(r, "enough", c.Reason)
		require.ErrorIs(r, cause, context.Canceled)
		require.ErrorIs(r, err, context.Canceled)
		require.Equal(r, "enough", got.CancelReason)
		require.Equal(r, schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled: enough"}, *got.Error)
	})
}

func TestErrorAfterCancelIsTold(t *testing.T) {
	waits := coded("waits", func(ctx context.Context) error {
		<-ctx.Done()
		return &executor.Failure{TaskError: schema.TaskError{Message: "half was done", Retryable: true}}
	})
	withRig(t, executor.Options{Types: []executor.Type{waits}}, func(r *rig) {
		id := r.of("waits")
		r.inState(id, schema.Running)
		r.cancel(id, executor.Cancellation{})
		require.Equal(r, schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled; half was done"}, *r.inState(id, schema.Cancelled).Error)
	})
}

// TestResultAfterCancelCompletes states a decision: work that is done is done.
func TestResultAfterCancelCompletes(t *testing.T) {
	withRig(t, executor.Options{}, func(r *rig) {
		id := r.submit(taking("deaf", 3*time.Second))
		r.pass(time.Second)
		require.Equal(r, schema.OutcomeCancelling, r.cancel(id, executor.Cancellation{}))
		r.pass(2 * time.Second)
		got := r.inState(id, schema.Completed)
		require.NotZero(r, got.CancelRequestedAt)
		require.Nil(r, got.Error)
	})
}

func TestCodeThatIgnoresItsContext(t *testing.T) {
	withRig(t, executor.Options{Limit: 1, Grace: 4 * time.Second}, func(r *rig) {
		deaf, next := r.submit(taking("deaf", time.Minute)), r.of("nap")
		r.inState(deaf, schema.Running)
		r.cancel(deaf, executor.Cancellation{Reason: "enough"})
		r.pass(4*time.Second - time.Millisecond)
		r.inState(deaf, schema.Running)
		r.pass(time.Millisecond)
		got := r.inState(deaf, schema.Cancelled)
		require.Equal(r, schema.TaskError{
			Kind: schema.KindCancelled, Message: "cancelled: enough; its code has not ended", Forced: true,
		}, *got.Error)
		require.Equal(r, int64(1), r.stats().Stuck)
		require.Zero(r, r.stats().Tasks.Running)
		r.inState(next, schema.Queued) // the slot stays taken
		require.Contains(r, r.log.String(), deaf.String())

		r.pass(time.Minute)
		require.Zero(r, r.stats().Stuck)
		require.Equal(r, got, r.task(deaf), "a final task does not change")
		r.inState(next, schema.Completed)
	})
}

func TestForceSkipsTheGrace(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []executor.Cancellation
	}{{"at once", nil}, {"after a cancel without", []executor.Cancellation{{Reason: "please"}}}} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, executor.Options{Limit: 1}, func(r *rig) {
				id := r.submit(taking("deaf", time.Minute))
				r.pass(time.Second)
				for _, soft := range c.before {
					r.cancel(id, soft)
				}
				r.cancel(id, executor.Cancellation{Force: true})
				require.Equal(r, time.Second, took(r.inState(id, schema.Cancelled)))
				r.pass(time.Minute)
			})
		})
	}
}

func TestGraceIsOfTheSubmitThenTheTypeThenTheExecutor(t *testing.T) {
	typed := executor.MustDefine("typed", func(context.Context, empty) (empty, error) {
		time.Sleep(time.Minute)
		return empty{}, nil
	}, executor.Grace(2*time.Second))
	withRig(t, executor.Options{Limit: 4, Grace: 3 * time.Second, Types: []executor.Type{typed}}, func(r *rig) {
		own := schema.SubmitParams{Type: "typed", GraceMs: new(int64(1000))}
		none := schema.SubmitParams{Type: "typed", GraceMs: new(int64(0))}
		ids := []uuid.UUID{r.submit(own), r.of("typed"), r.submit(taking("deaf", time.Minute)), r.submit(none)}
		r.stats()
		for _, id := range ids {
			r.cancel(id, executor.Cancellation{})
		}
		r.pass(time.Minute)
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 0} {
			require.Equal(r, want, took(r.inState(ids[i], schema.Cancelled)))
		}
	})
}

func TestKilledIsClosedWhenTheGraceIsOver(t *testing.T) {
	var after time.Duration
	kills := coded("kills", func(ctx context.Context) error {
		<-ctx.Done()
		told := time.Now()
		<-executor.Killed(ctx)
		after = time.Since(told)
		time.Sleep(500 * time.Millisecond) // its processes end
		return &executor.Failure{TaskError: schema.TaskError{Message: "killed", Signal: "SIGKILL", Forced: true}}
	})
	withRig(t, executor.Options{Grace: 2 * time.Second, Types: []executor.Type{kills}}, func(r *rig) {
		id := r.of("kills")
		r.inState(id, schema.Running)
		r.cancel(id, executor.Cancellation{})
		r.pass(3 * time.Second)
		got := r.inState(id, schema.Cancelled)
		require.Equal(r, 2*time.Second, after)
		require.Equal(r, 2500*time.Millisecond, took(got), "it was given its last moment")
		require.Equal(r, "SIGKILL", got.Error.Signal)
		require.Zero(r, r.stats().Stuck)
	})
}

func TestKilledIsClosedForWhoAsksLate(t *testing.T) {
	late := coded("late", func(ctx context.Context) error {
		time.Sleep(time.Minute)
		<-executor.Killed(ctx)
		return errors.New("late")
	})
	withRig(t, executor.Options{Types: []executor.Type{late}}, func(r *rig) {
		id := r.of("late")
		r.inState(id, schema.Running)
		r.cancel(id, executor.Cancellation{Force: true})
		require.Equal(r, int64(1), r.stats().Stuck)
		r.pass(time.Minute)
		require.Zero(r, r.stats().Stuck)
	})
}

func TestCancelAndNaturalEndMakeOneEnd(t *testing.T) {
	const rounds = 300
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		w := r.watchAll()
		for range rounds {
			id := r.submit(nap(time.Second))
			var both sync.WaitGroup
			both.Go(func() {
				time.Sleep(time.Second)
				outcome, _, err := r.Cancel(r.Context(), id, executor.Cancellation{})
				require.NoError(r, err)
				require.NotEqual(r, schema.OutcomeCancelled, outcome)
			})
			both.Wait()
		}
		ends := map[uuid.UUID]int{}
		for _, ev := range r.drain(w) {
			if ev.Kind == executor.EventFinished {
				ends[ev.ID]++
				got := r.task(ev.ID)
				require.NotNil(r, got.Input)
				require.Nil(r, ev.Task.Input, "nobody is told of it")
				told := got
				told.Input = nil
				require.Equal(r, told, *ev.Task)
				require.NotEqual(r, got.State == schema.Completed, got.Error != nil)
			}
		}
		require.Len(r, ends, rounds)
		for _, n := range ends {
			require.Equal(r, 1, n)
		}
		totals := r.stats().Totals
		require.Equal(r, int64(rounds), totals.Completed+totals.Cancelled)
		require.Zero(r, totals.Failed)
	})
}

func TestCancelOfATaskThatIsJustClaimed(t *testing.T) {
	withRig(t, executor.Options{Limit: 2}, func(r *rig) {
		for range 500 {
			id := r.submit(nap(time.Second))
			r.cancel(id, executor.Cancellation{})
			synctest.Wait()
			r.inState(id, schema.Cancelled)
		}
	})
}

// taker is a store that can take its leases back, as one that many machines
// share does.
type taker struct {
	executor.Store
	leases chan *takenLease
}

type takenLease struct {
	executor.Lease
	from   taker
	revoke func(error)
}

func (s taker) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	return join(ctx, s.Store, o, func(l executor.Lease) executor.Lease { return &takenLease{Lease: l, from: s} })
}

func (l *takenLease) OnRevoke(f func(error)) {
	l.revoke = f
	l.Lease.OnRevoke(f)
	l.from.leases <- l
}

func TestLostLease(t *testing.T) {
	for name, typ := range map[string]string{"of code that stops": "nap", "of code that does not": "deaf"} {
		t.Run(name, func(t *testing.T) {
			open := func() executor.Store { return taker{memory.New(memory.Options{}), make(chan *takenLease, 2)} }
			withStore(t, executor.Options{Limit: 1, Grace: time.Second}, open, func(r *rig) {
				id, next := r.submit(taking(typ, time.Minute)), r.of("nap")
				r.inState(id, schema.Running)
				lease := <-r.store.(taker).leases
				lease.revoke(executor.ErrLeaseLost)
				r.pass(time.Hour)
				r.inState(next, schema.Completed) // the slot is free
				require.Zero(r, r.stats().Stuck)
				r.inState(id, schema.Running) // it is another's to end
				require.Equal(r, schema.TaskTotals{Submitted: 2, Completed: 1}, r.stats().Totals)
				lease.Finish(executor.Outcome{State: schema.Completed}, func(err error) { require.NoError(r, err) })
			})
		})
	}
}

// TestASecondForceGivesNothingUp: code that kills its processes has its moment
// to see them end, however often it is forced.
func TestASecondForceGivesNothingUp(t *testing.T) {
	killer := executor.MustDefine("killer", func(ctx context.Context, _ empty) (empty, error) {
		<-executor.Killed(ctx)
		time.Sleep(500 * time.Millisecond)
		return empty{}, context.Cause(ctx)
	})
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{killer}}, func(r *rig) {
		id := r.of("killer")
		r.inState(id, schema.Running)
		for range 4 {
			r.cancel(id, executor.Cancellation{Force: true})
			r.pass(100 * time.Millisecond)
			r.Hasten(0)
		}
		r.inState(id, schema.Running)
		r.pass(100 * time.Millisecond)
		got := r.inState(id, schema.Cancelled)
		require.False(r, got.Error.Forced, "its code has ended by itself")
		require.Equal(r, 500*time.Millisecond, took(got))
		require.NotContains(r, r.log.String(), "does not stop")
	})
}

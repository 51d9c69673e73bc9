package executor_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// durable is a store that says it would survive. A claim takes it some time,
// until which the task is seen as queued.
type durable struct {
	executor.Store
	claim    time.Duration
	claiming *atomic.Int64
}

func newDurable(claim time.Duration) func() executor.Store {
	return func() executor.Store {
		return durable{memory.New(memory.Options{}), claim, new(atomic.Int64)}
	}
}

func (durable) Info() executor.StoreInfo { return executor.StoreInfo{Name: "durable", Durable: true} }

func (s durable) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	return join(ctx, s.Store, o, func(l executor.Lease) executor.Lease {
		s.claiming.Add(1)
		time.Sleep(s.claim)
		s.claiming.Add(-1)
		return l
	})
}

func (s durable) Counts(ctx context.Context) (executor.Counts, error) {
	c, err := s.Store.Counts(ctx)
	c.Queued += s.claiming.Load()
	c.Running -= s.claiming.Load()
	return c, err
}

func TestFinishLeavesTheQueueOfADurableStore(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, newDurable(0), func(r *rig) {
		running, queued := r.submit(nap(time.Second)), r.submit(nap(time.Second))
		r.inState(running, schema.Running)
		end := r.shutdown(schema.ShutdownFinish, 0)
		r.shutdown(schema.ShutdownDrain, 0) // gentler: it changes nothing
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1, Left: 1}, end.result)
		r.inState(queued, schema.Queued)
	})
}

// When the time-out is over, what runs is cancelled, and what waits is left.
func TestTimeoutLeavesTheQueueOfADurableStore(t *testing.T) {
	for _, mode := range []schema.ShutdownMode{schema.ShutdownDrain, schema.ShutdownFinish} {
		for _, claim := range []time.Duration{0, 2 * time.Second} { // with 2 s the time is over while a worker is about to get the task
			t.Run(string(mode)+" "+claim.String(), func(t *testing.T) {
				withStore(t, executor.Options{Limit: 1}, newDurable(claim), func(r *rig) {
					running, queued := r.submit(nap(time.Hour)), r.submit(nap(time.Second))
					later := nap(time.Second)
					later.DelayMs = 7 * 24 * time.Hour.Milliseconds()
					scheduled := r.submit(later)
					synctest.Wait()
					end := r.shutdown(mode, time.Second)
					<-end.done
					require.NoError(r, end.err)
					require.Equal(r, schema.ShutdownResult{Cancelled: 1, Left: 2}, end.result)
					require.Equal(r, "shutdown", r.inState(running, schema.Cancelled).CancelReason)
					r.inState(queued, schema.Queued)
					r.inState(scheduled, schema.Queued)
				})
			})
		}
	}
}

// A task that a worker is about to get is one of the running ones.
func TestFinishWaitsForATaskThatIsBeingClaimed(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, newDurable(time.Second), func(r *rig) {
		claimed, queued := r.submit(nap(time.Second)), r.submit(nap(time.Second))
		synctest.Wait()
		end := r.shutdown(schema.ShutdownFinish, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1, Left: 1}, end.result)
		r.inState(claimed, schema.Completed)
		r.inState(queued, schema.Queued)
	})
}

// Nobody has asked for the end: what waits is left, and what runs is told to
// stop. Of that the next process runs again what may run again.
func TestInterruptLeavesTheTasksOfADurableStore(t *testing.T) {
	stubborn := executor.MustDefine("stubborn", func(ctx context.Context, _ empty) (empty, error) {
		<-ctx.Done()
		return empty{}, nil // its work is done all the same
	})
	o := executor.Options{Limit: 6, Grace: time.Second, Types: []executor.Type{stubborn}}
	withStore(t, o, newDurable(0), func(r *rig) {
		rerun := nap(time.Hour)
		rerun.Rerun = new(true)
		deafAgain := taking("deaf", time.Hour)
		deafAgain.Rerun = new(true)
		once, again, done := r.submit(nap(time.Hour)), r.submit(rerun), r.of("stubborn")
		deaf, deafRerun := r.submit(taking("deaf", time.Hour)), r.submit(deafAgain)
		unwanted := r.submit(rerun)
		queued := r.submit(nap(time.Hour))
		r.inState(unwanted, schema.Running)
		require.Equal(r, schema.OutcomeCancelling, r.cancel(unwanted, executor.Cancellation{}))
		r.inState(unwanted, schema.Cancelled)
		r.inState(queued, schema.Running)
		waits := r.submit(nap(time.Hour))

		end := r.shutdown(executor.ShutdownInterrupt, 0)
		<-end.done
		require.Equal(r, time.Second, end.after)
		require.Equal(r, schema.ShutdownResult{Completed: 1, Failed: 3, Left: 3 + 1}, end.result, "one that has failed does not stop")
		require.Equal(r, &schema.TaskError{
			Kind: schema.KindInterrupted, Message: executor.ErrInterrupted.Error(), Retryable: true,
		}, r.inState(once, schema.Failed).Error)
		require.True(r, r.inState(deaf, schema.Failed).Error.Forced)
		r.inState(done, schema.Completed)
		r.inState(again, schema.Running) // as the store's next process finds it
		r.inState(deafRerun, schema.Running)
		r.inState(waits, schema.Queued)
		r.pass(time.Hour) // for the deaf ones
	})
}

func TestInterruptFindsATaskThatIsBeingClaimed(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, newDurable(time.Second), func(r *rig) {
		claimed := r.submit(nap(time.Hour))
		synctest.Wait()
		end := r.shutdown(executor.ShutdownInterrupt, 0)
		<-end.done
		require.Equal(r, time.Second, end.after)
		require.Equal(r, schema.KindInterrupted, r.inState(claimed, schema.Failed).Error.Kind)
	})
}

// Tasks in memory end with the process: they are cancelled.
func TestInterruptCancelsTheTasksOfAStoreInMemory(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running, queued := r.submit(nap(time.Hour)), r.submit(nap(time.Hour))
		end := r.shutdown(executor.ShutdownInterrupt, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Cancelled: 2}, end.result)
		r.inState(running, schema.Cancelled)
		r.inState(queued, schema.Cancelled)
	})
}

// A caller can still ask for the tasks to be cancelled.
func TestInterruptEscalatesToCancel(t *testing.T) {
	withStore(t, executor.Options{Limit: 1, Grace: time.Minute}, newDurable(0), func(r *rig) {
		deaf, queued := r.submit(taking("deaf", time.Second)), r.submit(nap(time.Hour))
		r.inState(deaf, schema.Running)
		r.shutdown(executor.ShutdownInterrupt, 0)
		r.inState(queued, schema.Queued)
		end := r.shutdown(schema.ShutdownCancel, 0)
		r.inState(queued, schema.Cancelled)
		<-end.done
		r.inState(deaf, schema.Completed)
		synctest.Wait()
	})
}

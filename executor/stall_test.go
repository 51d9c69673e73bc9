package executor_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/schema"
)

// runError is what Run returned; it must have.
func (r *rig) runError() error {
	r.Helper()
	synctest.Wait()
	require.Len(r, r.over, 1)
	err := <-r.over
	r.over <- err
	return err
}

// TestShutdownOfAStoreThatCannotWrite ends a second after the last code has:
// nobody knows whether the store will ever be able to.
func TestShutdownOfAStoreThatCannotWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  schema.ShutdownMode
		stall time.Duration // of the 3 s that the task naps
		after time.Duration
		left  int64
	}{
		{"the code has ended", schema.ShutdownDrain, 2 * time.Second, time.Second, 2},
		{"the code runs on", schema.ShutdownDrain, 0, 4 * time.Second, 2},
		{"the code is cancelled", schema.ShutdownCancel, 0, time.Second, 2},
		{"the queue is left", schema.ShutdownFinish, 0, 4 * time.Second, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
				running, queued := r.submit(nap(3*time.Second)), r.of("nap")
				r.inState(running, schema.Running)
				r.pass(c.stall)
				s.Stall("the disk is full")
				r.pass(2 * c.stall)
				end := r.shutdown(c.mode, 0)
				<-end.done
				require.Equal(r, c.after, end.after)
				require.Equal(r, schema.ShutdownResult{Left: c.left}, end.result)
				err := r.runError()
				require.ErrorIs(r, err, executor.ErrStoreUnavailable)
				require.ErrorContains(r, err, "tasks left: 2")
				require.ErrorContains(r, err, "the disk is full")
				r.inState(running, schema.Running)
				r.inState(queued, schema.Queued)
			})
		})
	}
}

// TestShutdownWaitsForNoCodeThatIsOver has code that ends its goroutine, and
// code that was given up.
func TestShutdownWaitsForNoCodeThatIsOver(t *testing.T) {
	quits := coded("quits", func(context.Context) error {
		time.Sleep(2 * time.Second)
		runtime.Goexit()
		return nil
	})
	for _, c := range []struct {
		typ   string
		mode  schema.ShutdownMode
		after time.Duration
	}{
		{"quits", schema.ShutdownDrain, 3 * time.Second},
		{"deaf", schema.ShutdownCancel, 6 * time.Second},
	} {
		t.Run(c.typ, func(t *testing.T) {
			withFaults(t, executor.Options{Limit: 1, Grace: 5 * time.Second, Types: []executor.Type{quits}}, func(r *rig, s *storetest.FaultyStore) {
				p := schema.SubmitParams{Type: c.typ}
				if c.typ == "deaf" {
					p = taking("deaf", time.Hour)
				}
				r.inState(r.submit(p), schema.Running)
				s.Stall("the disk is full")
				end := r.shutdown(c.mode, 0)
				<-end.done
				require.Equal(r, c.after, end.after)
				require.ErrorIs(r, r.runError(), executor.ErrStoreUnavailable)
				r.pass(time.Hour)
			})
		})
	}
}

// TestShutdownOfAStoreThatCanWriteAgain goes on as if nothing had been.
func TestShutdownOfAStoreThatCanWriteAgain(t *testing.T) {
	for _, c := range []struct {
		mode schema.ShutdownMode
		want schema.ShutdownResult
	}{
		{schema.ShutdownDrain, schema.ShutdownResult{Completed: 3}},
		{schema.ShutdownFinish, schema.ShutdownResult{Completed: 1, Cancelled: 2}},
		{schema.ShutdownCancel, schema.ShutdownResult{Completed: 1, Cancelled: 2}},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
				r.submit(nap(time.Second))
				r.of("nap")
				r.of("nap")
				r.stats()
				s.Stall("the disk is full")
				r.pass(time.Minute)
				end := r.shutdown(c.mode, 0)
				r.pass(999 * time.Millisecond)
				require.False(r, end.over())
				s.Resume()
				<-end.done
				require.LessOrEqual(r, end.after, 2*time.Second)
				require.Equal(r, c.want, end.result)
				require.NoError(r, r.runError())
			})
		})
	}
}

// TestShutdownIsPatientAnewAfterEachFault has a store that cannot write again
// and again, and each time for less than a second.
func TestShutdownIsPatientAnewAfterEachFault(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		for range 5 {
			r.submit(nap(900 * time.Millisecond))
		}
		r.stats()
		end := r.shutdown(schema.ShutdownDrain, 0)
		for range 5 {
			s.Stall("the disk is full")
			r.pass(1800 * time.Millisecond)
			s.Resume()
			synctest.Wait()
		}
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 5}, end.result)
		require.NoError(r, r.runError())
	})
}

// TestShutdownSeesAFaultThatComesLate has a store that can no longer write
// when nothing is left that could tell of it.
func TestShutdownSeesAFaultThatComesLate(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		r.stats()
		s.Break("Claim")
		r.of("nap") // for the claim that waits already
		left := r.of("nap")
		r.inState(left, schema.Queued)
		end := r.shutdown(schema.ShutdownDrain, 0)
		r.pass(time.Hour)
		require.False(r, end.over())
		s.Stall("the disk is full")
		<-end.done
		require.LessOrEqual(r, end.after, time.Hour+2*time.Second)
		require.Equal(r, schema.ShutdownResult{Left: 1}, end.result)
		require.ErrorIs(r, r.runError(), executor.ErrStoreUnavailable)
	})
}

// TestEndsThatAreGivenUp are told when the store is closed.
func TestEndsThatAreGivenUp(t *testing.T) {
	withFaults(t, executor.Options{Limit: 1}, func(r *rig, s *storetest.FaultyStore) {
		id := r.submit(nap(time.Second))
		r.inState(id, schema.Running)
		s.Stall("the disk is full")
		<-r.shutdown(schema.ShutdownDrain, 0).done
		require.NotContains(r, r.log.String(), "could not be recorded")
		require.NoError(r, s.Close())
		require.Contains(r, r.log.String(), "could not be recorded")
		require.Contains(r, r.log.String(), id.String())
	})
}

// late is a store that shows an end before it says that it is recorded.
type late struct{ executor.Store }

type lateLease struct{ executor.Lease }

func (s late) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	return join(ctx, s.Store, o, func(l executor.Lease) executor.Lease { return lateLease{l} })
}

func (l lateLease) Finish(o executor.Outcome, recorded func(error)) {
	l.Lease.Finish(o, func(err error) { time.AfterFunc(time.Second, func() { recorded(err) }) })
}

// TestShutdownCountsWhatIsToldLate waits for the store's word, so that its
// result is complete.
func TestShutdownCountsWhatIsToldLate(t *testing.T) {
	open := func() executor.Store { return late{memory.New(memory.Options{})} }
	withStore(t, executor.Options{Limit: 2}, open, func(r *rig) {
		for range 3 {
			r.submit(nap(time.Second))
		}
		end := r.shutdown(schema.ShutdownDrain, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 3}, end.result)
		require.Equal(r, 3*time.Second, end.after)
	})
}

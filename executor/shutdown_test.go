package executor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// ending is a Shutdown that is under way.
type ending struct {
	result schema.ShutdownResult
	err    error
	after  time.Duration
	done   chan struct{}
}

func (r *rig) shutdown(mode schema.ShutdownMode, timeout time.Duration) *ending {
	end := &ending{done: make(chan struct{})}
	began := time.Now()
	go func() {
		defer close(end.done)
		end.result, end.err = r.Shutdown(r.Context(), mode, timeout)
		end.after = time.Since(began)
	}()
	synctest.Wait()
	return end
}

func (e *ending) over() bool {
	synctest.Wait()
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// TestShutdownModes has two tasks of 3 s in the slots, and three in the queue.
func TestShutdownModes(t *testing.T) {
	for _, c := range []struct {
		mode    schema.ShutdownMode
		timeout time.Duration
		want    schema.ShutdownResult
		after   time.Duration
	}{
		{schema.ShutdownDrain, 0, schema.ShutdownResult{Completed: 5}, 9 * time.Second},
		{schema.ShutdownDrain, 10 * time.Second, schema.ShutdownResult{Completed: 5}, 9 * time.Second},
		{schema.ShutdownDrain, 4 * time.Second, schema.ShutdownResult{Completed: 2, Cancelled: 3}, 4 * time.Second},
		{schema.ShutdownFinish, 0, schema.ShutdownResult{Completed: 2, Cancelled: 3}, 3 * time.Second},
		{schema.ShutdownFinish, time.Second, schema.ShutdownResult{Cancelled: 5}, time.Second},
		{schema.ShutdownCancel, 0, schema.ShutdownResult{Cancelled: 5}, 0},
	} {
		t.Run(string(c.mode)+" "+c.timeout.String(), func(t *testing.T) {
			withRig(t, executor.Options{Limit: 2}, func(r *rig) {
				before := r.of("nap")
				r.inState(before, schema.Completed)
				var ids []uuid.UUID
				for range 5 {
					ids = append(ids, r.submit(nap(3*time.Second)))
				}
				r.inState(ids[1], schema.Running)
				end := r.shutdown(c.mode, c.timeout)
				require.True(r, r.stats().ShuttingDown)
				<-end.done
				require.NoError(r, end.err)
				require.Equal(r, c.want, end.result)
				require.Equal(r, c.after, end.after)
				require.NoError(r, <-r.over)
				r.over <- nil
				for _, id := range ids {
					require.True(r, r.task(id).State.Final())
				}
			})
		})
	}
}

func TestShutdownGivesItsReason(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running, queued := r.submit(nap(time.Hour)), r.of("nap")
		r.inState(running, schema.Running)
		<-r.shutdown(schema.ShutdownCancel, 0).done
		for _, id := range []uuid.UUID{running, queued} {
			require.Equal(r, "shutdown", r.inState(id, schema.Cancelled).CancelReason)
			require.Equal(r, "cancelled: shutdown", r.task(id).Error.Message)
		}
	})
}

func TestShutdownEscalates(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running, queued := r.submit(nap(time.Hour)), r.of("nap")
		r.inState(running, schema.Running)
		first := r.shutdown(schema.ShutdownDrain, 0)
		r.pass(time.Second)
		second := r.shutdown(schema.ShutdownFinish, 0)
		r.inState(queued, schema.Cancelled)
		r.inState(running, schema.Running)
		r.shutdown(schema.ShutdownDrain, 0) // it cannot become gentler
		require.False(r, first.over() || second.over())
		third := r.shutdown(schema.ShutdownCancel, 0)
		require.True(r, first.over() && second.over() && third.over())
		want := schema.ShutdownResult{Cancelled: 2}
		require.Equal(r, []schema.ShutdownResult{want, want, want}, []schema.ShutdownResult{first.result, second.result, third.result})
	})
}

func TestNothingIsAdmittedInAShutdown(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running := r.submit(nap(time.Minute))
		end := r.shutdown(schema.ShutdownDrain, 0)
		record, err := r.Prepare(&schema.SubmitParams{Type: "nap"})
		require.NoError(r, err)
		_, err = r.Submit(r.Context(), []executor.Submission{record})
		require.ErrorIs(r, err, executor.ErrShuttingDown)

		r.inState(running, schema.Running) // the rest is answered still
		require.Equal(r, schema.OutcomeCancelling, r.cancel(running, executor.Cancellation{}))
		page, err := r.List(r.Context(), executor.Filter{}, executor.PageRequest{Limit: 10})
		require.NoError(r, err)
		require.Len(r, page.Tasks, 1)
		require.True(r, end.over())
	})
}

// gate is a store whose Submit waits to be let through.
type gate struct {
	executor.Store
	open chan struct{}
}

func (g gate) Submit(ctx context.Context, records []executor.Submission) ([]executor.Submitted, error) {
	<-g.open
	return g.Store.Submit(ctx, records)
}

func TestSubmitUnderWayIsPartOfTheShutdown(t *testing.T) {
	for _, c := range []struct {
		mode    schema.ShutdownMode
		durable bool
		want    schema.ShutdownResult
		after   time.Duration
	}{
		{schema.ShutdownDrain, false, schema.ShutdownResult{Completed: 1}, time.Minute},
		{schema.ShutdownFinish, false, schema.ShutdownResult{Cancelled: 1}, 0},
		{schema.ShutdownCancel, false, schema.ShutdownResult{Cancelled: 1}, 0},
		{executor.ShutdownInterrupt, true, schema.ShutdownResult{Left: 1}, 0},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			var open chan struct{}
			store := func() executor.Store {
				open = make(chan struct{})
				var s executor.Store = memory.New(memory.Options{})
				if c.durable {
					s = newDurable(0)()
				}
				return gate{s, open}
			}
			withStore(t, executor.Options{}, store, func(r *rig) {
				p := nap(time.Minute)
				record, err := r.Prepare(&p)
				require.NoError(r, err)
				submitted := make(chan error, 1)
				go func() {
					_, err := r.Submit(r.Context(), []executor.Submission{record})
					submitted <- err
				}()
				synctest.Wait()
				end := r.shutdown(c.mode, 0)
				require.False(r, end.over())
				close(open)
				<-end.done
				require.NoError(r, end.err)
				require.Equal(r, c.want, end.result)
				require.Equal(r, c.after, end.after)
				require.NoError(r, <-submitted)
			})
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, executor.Options{Limit: 1}, memory.New(memory.Options{}))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { r.over <- r.Executor.Run(ctx) }()
		running, queued := r.submit(nap(time.Hour)), r.of("nap")
		r.inState(running, schema.Running)
		cancel()
		require.NoError(r, <-r.over)
		r.inState(running, schema.Cancelled)
		r.inState(queued, schema.Cancelled)
		require.NoError(r, r.store.Close())
	})
}

func TestRunReturnsWithAStuckTask(t *testing.T) {
	withRig(t, executor.Options{Limit: 2, Grace: time.Second}, func(r *rig) {
		deaf := r.submit(taking("deaf", time.Hour))
		r.submit(taking("deaf", 500*time.Millisecond))
		r.inState(deaf, schema.Running)
		end := r.shutdown(schema.ShutdownCancel, 0)
		<-end.done
		require.Equal(r, time.Second, end.after)
		require.Equal(r, schema.ShutdownResult{Completed: 1, Cancelled: 1, Left: 1}, end.result)
		require.True(r, r.inState(deaf, schema.Cancelled).Error.Forced)
		r.pass(time.Hour) // its code ends after Run has
		require.Zero(r, r.stats().Stuck)
	})
}

func TestHasten(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(r *rig, deaf uuid.UUID)
		want time.Duration
	}{
		{"before the cancel", func(r *rig, deaf uuid.UUID) {
			r.Hasten(2 * time.Second)
			r.cancel(deaf, executor.Cancellation{})
		}, 2 * time.Second},
		{"within the grace", func(r *rig, deaf uuid.UUID) {
			r.cancel(deaf, executor.Cancellation{})
			r.pass(time.Second)
			r.Hasten(2 * time.Second)
		}, 3 * time.Second},
		{"twice", func(r *rig, deaf uuid.UUID) {
			r.cancel(deaf, executor.Cancellation{})
			r.Hasten(4 * time.Second)
			r.Hasten(0)
		}, 0},
		{"to more than there is", func(r *rig, deaf uuid.UUID) {
			r.cancel(deaf, executor.Cancellation{})
			r.Hasten(time.Hour)
		}, 10 * time.Second},
		{"with nobody to hasten", func(r *rig, deaf uuid.UUID) {
			r.Hasten(time.Second)
			r.pass(5 * time.Second)
			r.cancel(deaf, executor.Cancellation{})
		}, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, executor.Options{Grace: 10 * time.Second}, func(r *rig) {
				deaf := r.submit(taking("deaf", time.Hour))
				r.inState(deaf, schema.Running)
				c.test(r, deaf)
				r.pass(time.Minute)
				require.Equal(r, c.want, took(r.inState(deaf, schema.Cancelled)))
				r.pass(time.Hour)
			})
		})
	}
}

func TestShutdownOfAnIdleExecutor(t *testing.T) {
	for _, mode := range []schema.ShutdownMode{schema.ShutdownDrain, schema.ShutdownFinish, schema.ShutdownCancel} {
		withRig(t, executor.Options{}, func(r *rig) {
			end := r.shutdown(mode, time.Second)
			require.True(r, end.over())
			require.Zero(r, end.result)
			require.Zero(r, end.after)
		})
	}
}

func TestShutdownThatNobodyWaitsForGoesOn(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		id := r.submit(nap(time.Minute))
		ctx, cancel := context.WithCancelCause(r.Context())
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		_, err := r.Shutdown(ctx, schema.ShutdownDrain, 0)
		require.ErrorIs(r, err, gone)
		require.NoError(r, <-r.over)
		r.over <- nil
		r.inState(id, schema.Completed)
	})
}

// TestShutdownCancelsManyPages has more tasks than are cancelled at a time.
func TestShutdownCancelsManyPages(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		for range 2500 {
			r.submit(nap(time.Hour))
		}
		end := r.shutdown(schema.ShutdownCancel, 0)
		require.True(r, end.over())
		require.Equal(r, schema.ShutdownResult{Cancelled: 2500}, end.result)
	})
}

// ofOtherTypes are tasks that a program before this one has left in the store.
func ofOtherTypes(r *rig, types ...string) (ids []uuid.UUID) {
	for _, typ := range types {
		s := executor.Submission{}
		s.ID, s.Type, s.Input, s.CreatedAt = uuid.New(), typ, []byte(`{}`), schema.Now()
		_, err := r.store.Submit(r.Context(), []executor.Submission{s})
		require.NoError(r, err)
		ids = append(ids, s.ID)
	}
	return ids
}

// Tasks of types that are unknown here, or not allowed, wait for a program that
// offers them, whatever else runs. They can be cancelled, and a drain leaves them.
func TestTasksOfOtherTypesStayQueued(t *testing.T) {
	withRig(t, executor.Options{Limit: 1, Allow: []string{"nap"}}, func(r *rig) {
		others := ofOtherTypes(r, "of an earlier program", "fail", "of an earlier program")
		ran := r.submit(nap(time.Second))
		r.pass(time.Minute)
		r.inState(ran, schema.Completed)
		for _, id := range others {
			r.inState(id, schema.Queued)
		}
		require.Equal(r, schema.OutcomeCancelled, r.cancel(others[0], executor.Cancellation{}))
		last := r.submit(nap(time.Second))
		end := r.shutdown(schema.ShutdownDrain, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1, Left: 2}, end.result)
		r.inState(last, schema.Completed)
		r.inState(others[1], schema.Queued)
	})
}

func TestShutdownCancelsTasksOfOtherTypes(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		id := ofOtherTypes(r, "of an earlier program")[0]
		end := r.shutdown(schema.ShutdownCancel, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Cancelled: 1}, end.result)
		r.inState(id, schema.Cancelled)
	})
}

// What was submitted under a name that is an alias now runs.
func TestTaskOfAnAliasInTheStoreRuns(t *testing.T) {
	done := executor.MustDefine("new", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }, executor.Alias("old"))
	withRig(t, executor.Options{Types: []executor.Type{done}}, func(r *rig) {
		r.inState(ofOtherTypes(r, "old")[0], schema.Completed)
	})
}

// TestTasksOfOtherTypesAreTold has them in the store before the executor runs.
func TestTasksOfOtherTypesAreTold(t *testing.T) {
	r := newRig(t, executor.Options{Limit: 1}, newMemory())
	ofOtherTypes(r, "of an earlier program", "of another")
	r.Begin(schema.ShutdownDrain)
	require.NoError(t, r.Executor.Run(t.Context()))
	require.Contains(t, r.log.String(), "of types that are not offered here")
	require.Contains(t, r.log.String(), "tasks=2")
}

func TestRunOfAStoreThatCannotBeJoined(t *testing.T) {
	s := newMemory()
	r := newRig(t, executor.Options{Limit: 1}, s)
	require.NoError(t, s.Close())
	require.ErrorIs(t, r.Executor.Run(t.Context()), executor.ErrClosed)
	<-r.Done()
	_, err := r.Submit(t.Context(), nil)
	require.ErrorIs(t, err, executor.ErrShuttingDown)
}

// TestASubmitThatIsAdmittedIsSeenThrough begins shutdowns while tasks are
// submitted: each that was admitted has an end when Run returns.
func TestASubmitThatIsAdmittedIsSeenThrough(t *testing.T) {
	const (
		rounds     = 300
		submitters = 3
		// most is how many tasks a submitter submits at most, where the shutdown begins late: the store forgets none of them.
		most = memory.DefaultKeep / submitters
	)
	for range rounds {
		r := newRig(t, executor.Options{Limit: 2}, newMemory())
		go func() { r.over <- r.Executor.Run(t.Context()) }()
		admitted := make(chan int)
		for range submitters {
			go func() {
				for n := 0; ; n++ {
					if n == most {
						admitted <- n
						return
					}
					record, err := r.Prepare(&schema.SubmitParams{Type: "fail"})
					if err == nil {
						_, err = r.Submit(context.Background(), []executor.Submission{record})
					}
					if err != nil {
						admitted <- n
						return
					}
				}
			}()
		}
		r.Begin(schema.ShutdownDrain)
		require.NoError(t, <-r.over)
		c, err := r.store.Counts(t.Context())
		require.NoError(t, err)
		n := <-admitted + <-admitted + <-admitted
		again, err := r.store.Counts(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, n, c.Failed)
		require.Equal(t, c, again)
	}
}

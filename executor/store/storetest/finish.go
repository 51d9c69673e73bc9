package storetest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var finishContracts = []contract{
	{name: "has times that never go back", test: finishTimes},
	{name: "records the outcome", test: finishRecords},
	{name: "leaves a task one final state", test: oneFinalState},
	{name: "is answered once", test: finishAnswered},
	{name: "fences the lease before it is recorded", test: finishFences},
	{name: "comes before a cancel that follows", test: finishBeforeCancel},
	{name: "is seen before what its worker does next", test: finishOrder},
}

func finishRecords(f *fixture) {
	outcomes := []executor.Outcome{
		{State: schema.Completed, Result: []byte(`{"n":1}`)},
		{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit, Message: "exit 3", ExitCode: new(3), Retryable: true}},
		{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled", Forced: true}},
	}
	for _, o := range outcomes {
		id := f.one()
		lease := f.claim()
		f.pass(time.Second)
		f.finish(lease, o)
		got := f.get(id)
		require.Equal(f, o.State, got.State)
		require.Equal(f, string(o.Result), string(got.Result))
		require.Equal(f, o.Error, got.Error)
		took, least := got.FinishedAt-got.StartedAt, schema.Time(f.of(time.Second).Microseconds())
		require.GreaterOrEqual(f, took, least)
		require.True(f, f.real || took == least, "the bubble's clock stood still before and after")
	}
}

func oneFinalState(f *fixture) {
	for range 50 {
		id := f.one()
		lease := f.claim()
		w := f.watchAll()
		var wins atomic.Int64
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				if finished(lease, executor.Outcome{State: schema.Completed + schema.State(i%3)}) == nil {
					wins.Add(1)
				}
			})
			all.Go(func() { _, _ = f.store.Cancel(f.Context(), []uuid.UUID{id}, executor.Cancellation{}) })
		}
		all.Wait()
		require.Equal(f, int64(1), wins.Load())
		events := f.drain(w)
		require.Equal(f, []executor.EventKind{executor.EventFinished}, kinds(events))
		require.Equal(f, f.get(id).State, events[0].Task.State)
	}
}

// finishAnswered counts the answers of each Finish, those included that are
// told that they come too late.
func finishAnswered(f *fixture) {
	const tries = 4
	for range 50 {
		f.one()
		lease := f.claim()
		said := [tries]chan error{}
		var all sync.WaitGroup
		for i := range said {
			said[i] = make(chan error, 2)
			all.Go(func() { lease.Finish(completed, func(err error) { said[i] <- err }) })
		}
		all.Wait()
		f.until("the answer of each", func() bool {
			return !slices.ContainsFunc(said[:], func(c chan error) bool { return len(c) == 0 })
		})
		f.idle()
		lost := 0
		for i := range said {
			require.Len(f, said[i], 1)
			if err := <-said[i]; err != nil {
				require.ErrorIs(f, err, executor.ErrLeaseLost)
				lost++
			}
		}
		require.Equal(f, tries-1, lost)
	}
}

// finishFences does not wait for the end to be recorded.
func finishFences(f *fixture) {
	w := f.watchAll()
	id := f.one()
	lease := f.claim()
	said := make(chan error, 1)
	lease.Finish(completed, func(err error) { said <- err })
	require.ErrorIs(f, lease.Started(7), executor.ErrLeaseLost)
	require.ErrorIs(f, lease.Progress(schema.Progress{Value: 1}), executor.ErrLeaseLost)
	require.ErrorIs(f, lease.Write(schema.Stdout, []byte("late")), executor.ErrLeaseLost)
	require.ErrorIs(f, finished(lease, executor.Outcome{State: schema.Failed}), executor.ErrLeaseLost)
	require.NoError(f, <-said)
	require.Equal(f, kindsOf(executor.EventFinished), kinds(f.drain(w)))
	got := f.get(id)
	require.Equal(f, schema.Completed, got.State)
	require.Nil(f, got.Progress)
	require.Nil(f, got.OutputBytes)
}

func finishBeforeCancel(f *fixture) {
	for range 50 {
		id := f.one()
		lease := f.claim()
		said := make(chan error, 1)
		lease.Finish(completed, func(err error) { said <- err })
		a := f.cancel(id, executor.Cancellation{})
		require.Equal(f, schema.OutcomeAlreadyFinished, a.Outcome)
		require.Equal(f, schema.Completed, a.Task.State)
		require.Zero(f, a.Task.CancelRequestedAt)
		require.NoError(f, <-said)
	}
}

// finishOrder has one worker, which does not wait until an end is recorded,
// and observers: none of them sees two tasks run at once.
func finishOrder(f *fixture) {
	const tasks = 300
	var batch []executor.Submission
	for n := range tasks {
		batch = append(batch, task(withRerun(n%3 == 0)))
	}
	w := f.watchAll()
	f.accept(batch...)
	ctx, over := context.WithCancel(f.Context())
	defer over()
	var all sync.WaitGroup
	most := [2]atomic.Int64{}
	observe := func(most *atomic.Int64, look func() (int64, error)) {
		all.Go(func() {
			for looks := 1; ctx.Err() == nil; looks++ {
				n, err := look()
				require.NoError(f, err)
				most.Store(max(most.Load(), n))
				if looks%64 == 0 { // or the bubble's clock stands still, and a lock may be waited for by it
					time.Sleep(time.Microsecond)
				}
			}
		})
	}
	observe(&most[0], func() (int64, error) {
		c, err := f.store.Counts(f.Context())
		return c.Running, err
	})
	observe(&most[1], func() (int64, error) {
		page, err := f.store.List(f.Context(), executor.Filter{States: []schema.State{schema.Running}}, executor.PageRequest{Limit: 10})
		return int64(len(page.Tasks)), err
	})
	stop := f.crew(1)
	f.readOneWorker(w, tasks)
	over()
	all.Wait()
	stop()
	for i, seen := range []string{"counts", "list"} {
		require.LessOrEqual(f, most[i].Load(), int64(1), seen)
	}
}

// readOneWorker reads events until the given number of tasks have ended. After an
// event, every answer must agree with it.
func (f *fixture) readOneWorker(w executor.Watcher, tasks int) {
	state := func(id uuid.UUID) schema.State {
		r, err := f.store.Get(f.Context(), id)
		require.NoError(f, err)
		return r.State
	}
	running := uuid.Nil
	for ended := 0; ended < tasks; {
		events, err := w.Next(f.Context())
		require.NoError(f, err)
		for _, ev := range events {
			switch ev.Kind {
			case executor.EventStarted:
				require.Equal(f, uuid.Nil, running, "two run at once")
				running = ev.ID
				require.NotEqual(f, schema.Queued, state(ev.ID))
			case executor.EventFinished:
				require.Equal(f, running, ev.ID)
				running = uuid.Nil
				require.Equal(f, schema.Completed, state(ev.ID))
				ended++
			default:
				require.Equal(f, running, ev.ID)
			}
		}
	}
}

// finishTimes has tasks that were submitted before the clock was set back.
func finishTimes(f *fixture) {
	ahead := func(r *executor.Submission) { r.CreatedAt += schema.Time(time.Hour.Microseconds()) }
	ran, cancelled := f.one(ahead), f.one(ahead)
	f.cancel(cancelled, executor.Cancellation{Reason: "why"})
	l := f.claim()
	require.GreaterOrEqual(f, l.Record().StartedAt, l.Record().CreatedAt)
	f.cancel(ran, executor.Cancellation{Reason: "why"})
	f.finish(l, completed)
	for id, started := range map[uuid.UUID]bool{ran: true, cancelled: false} {
		r := f.get(id)
		require.Equal(f, started, !r.StartedAt.IsZero())
		require.GreaterOrEqual(f, r.FinishedAt, max(r.StartedAt, r.CreatedAt))
		require.GreaterOrEqual(f, r.CancelRequestedAt, r.CreatedAt)
	}
}

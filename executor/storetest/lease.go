package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var leaseContracts = []contract{
	{name: "finish records the outcome", test: finishRecords},
	{name: "progress is part of the task", test: progressRecorded},
	{name: "is fenced once the task is final", test: leaseFenced},
	{name: "a task has one final state", test: oneFinalState},
	{name: "times never run backwards", test: timesRise},
}

var closeContracts = []contract{
	{name: "ends the claims that wait", test: closeWakes},
	{name: "every method answers ErrClosed", test: closeAnswers},
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
		time.Sleep(time.Second)
		f.finish(lease, o)
		got := f.get(id)
		require.Equal(f, o.State, got.State)
		require.Equal(f, string(o.Result), string(got.Result))
		require.Equal(f, o.Error, got.Error)
		require.Equal(f, schema.Time(time.Second.Microseconds()), got.FinishedAt-got.StartedAt)
	}
}

func progressRecorded(f *fixture) {
	id := f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	require.Nil(f, f.get(id).Progress)
	for n := range 3 {
		p := schema.Progress{Value: float64(n), Total: 3, Unit: "steps", Message: "on it"}
		require.NoError(f, lease.Progress(p))
		require.Equal(f, p, *f.get(id).Progress)
	}
	f.finish(lease, completed)
	require.Equal(f, 2.0, f.get(id).Progress.Value, "a final task keeps its last")
}

func leaseFenced(f *fixture) {
	for _, o := range []executor.Outcome{completed, {State: schema.Cancelled}} {
		id := f.one()
		lease := f.claim()
		require.NoError(f, lease.Write(schema.Stdout, []byte("kept")))
		if o.State == schema.Cancelled {
			f.cancel(id, executor.Cancellation{})
		}
		require.NoError(f, finished(lease, o))
		before, w := f.get(id), f.watchAll()

		require.ErrorIs(f, lease.Started(7), executor.ErrLeaseLost)
		require.ErrorIs(f, lease.Progress(schema.Progress{Value: 1}), executor.ErrLeaseLost)
		require.ErrorIs(f, lease.Write(schema.Stdout, []byte("late")), executor.ErrLeaseLost)
		require.ErrorIs(f, finished(lease, executor.Outcome{State: schema.Failed}), executor.ErrLeaseLost)
		lease.Release()

		require.Equal(f, before, f.get(id))
		require.Empty(f, f.drain(w))
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

// timesRise has tasks from a time that the clock has not reached again.
func timesRise(f *fixture) {
	later := func(r *executor.Record) { r.CreatedAt += schema.Time(time.Hour.Microseconds()) }
	ran := f.one(later)
	lease := f.claim()
	cancelled := f.one(later)
	f.cancel(cancelled, executor.Cancellation{})
	f.cancel(ran, executor.Cancellation{})
	f.finish(lease, completed)
	for _, id := range []uuid.UUID{ran, cancelled} {
		got := f.get(id)
		require.GreaterOrEqual(f, got.CancelRequestedAt, got.CreatedAt)
		require.GreaterOrEqual(f, got.FinishedAt, got.CreatedAt)
		require.GreaterOrEqual(f, got.FinishedAt, got.StartedAt)
	}
	require.GreaterOrEqual(f, f.get(ran).StartedAt, f.get(ran).CreatedAt)
}

func closeWakes(f *fixture) {
	waiting := []*claimer{f.claimer(nil), f.claimer(nil), f.claimer(limits)}
	require.True(f, waiting[2].waits())
	require.NoError(f, f.store.Close())
	for _, c := range waiting {
		require.False(f, c.waits())
		require.ErrorIs(f, c.err, executor.ErrClosed)
	}
}

func closeAnswers(f *fixture) {
	id := f.one()
	require.NoError(f, f.store.Close())
	ctx := f.Context()
	for name, call := range map[string]func() error{
		"submit": func() error { _, err := f.store.Submit(ctx, []executor.Record{task()}); return err },
		"get":    func() error { _, err := f.store.Get(ctx, id); return err },
		"list": func() error {
			_, err := f.store.List(ctx, executor.Filter{}, executor.PageRequest{Limit: 1})
			return err
		},
		"cancel": func() error { _, err := f.store.Cancel(ctx, []uuid.UUID{id}, executor.Cancellation{}); return err },
		"claim":  func() error { _, err := f.store.Claim(ctx, nil); return err },
		"output": func() error {
			_, err := f.store.Output(ctx, id, schema.Stdout, executor.OutputRange{Limit: 1})
			return err
		},
		"watch":  func() error { _, err := f.store.Watch(ctx); return err },
		"replay": func() error { _, err := f.store.Replay(ctx, 0, 1, 1); return err },
		"counts": func() error { _, err := f.store.Counts(ctx); return err },
	} {
		require.ErrorIs(f, call(), executor.ErrClosed, name)
	}
	require.NoError(f, f.store.Close(), "a second time is as the first")
}

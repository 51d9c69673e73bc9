package storetest

import (
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var leaseContracts = []contract{
	{name: "progress is part of the task", test: progressRecorded},
	{name: "is fenced once the task is final", test: leaseFenced},
	{name: "times never run backwards", test: timesRise},
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

// timesRise has tasks from a time that the clock has not reached again.
func timesRise(f *fixture) {
	later := func(r *executor.Submission) { r.CreatedAt += schema.Time(time.Hour.Microseconds()) }
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

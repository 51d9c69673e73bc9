package memory_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// The end of a task that was cancelled, and then given back by a process that had not begun it, is told as it is recorded.
func TestReturnOfACancelledTaskIsToldAsRecorded(t *testing.T) {
	r := memory.NewReplica(func() {})
	c, err := r.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	w, err := r.Watch(t.Context())
	require.NoError(t, err)
	defer w.Close()
	s := newRecord(0)
	s.Owner, s.Events = w.ID(), executor.AllEvents
	_, err = r.Submit(t.Context(), []executor.Submission{s})
	require.NoError(t, err)
	taken := r.Take(c)
	before := taken.Record()
	_, err = r.Cancel(t.Context(), []uuid.UUID{s.ID}, executor.Cancellation{})
	require.NoError(t, err)
	r.Return(taken)
	recorded, err := r.Get(t.Context(), s.ID)
	require.NoError(t, err)
	require.Equal(t, schema.Cancelled, recorded.State)
	require.Zero(t, recorded.Attempt, "it has not begun")
	var told *schema.Task
	for told == nil {
		events, err := w.Next(t.Context())
		require.NoError(t, err)
		for _, e := range events {
			if e.Kind == executor.EventFinished {
				told = e.Task
			}
		}
	}
	require.Equal(t, recorded.Attempt, told.Attempt)
	require.EqualValues(t, 1, before.Attempt, "who had it may still read that")
}

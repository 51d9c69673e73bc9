package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// A clock that is set back while a task runs lets it end when it began. The
// clock in a bubble is decades behind.
func TestEndIsNotBeforeStart(t *testing.T) {
	store := memory.New(memory.Options{})
	r := executor.Submission{Record: executor.Record{Grace: time.Second}}
	r.ID, r.Type, r.CreatedAt, r.Input = uuid.New(), "plain", 1, []byte("{}")
	_, err := store.Submit(t.Context(), []executor.Submission{r})
	require.NoError(t, err)
	c, err := store.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	lease, err := c.Claim(t.Context(), executor.Ended{})
	require.NoError(t, err)
	synctest.Test(t, func(*testing.T) {
		lease.Finish(executor.Outcome{State: schema.Completed, Result: []byte("{}")}, func(error) {})
	})
	got, err := store.Get(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, schema.Completed, got.State)
	require.Equal(t, got.StartedAt, got.FinishedAt)
}

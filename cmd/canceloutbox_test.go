package cmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// What was refused has ended, so only its id selects it for a cancel, which drops it.
func TestEntriesOfAnOutboxHaveAState(t *testing.T) {
	queued := &schema.ListParams{States: []schema.State{schema.Queued}, Labels: map[string]string{"n": "1"}}
	for refused, want := range map[string]bool{"": true, "the queue is full": false} {
		task := entryTask(&schema.OutboxEntry{Labels: map[string]string{"n": "1"}, Refused: refused}, "outbox.db")
		listed, err := isListed(t.Context(), nil, queued, &task)
		require.NoError(t, err)
		require.Equal(t, want, listed)
		here, _ := waitingFirst([]schema.Task{task})
		require.Len(t, here, 1, "its cancel needs no queue")
		listed, err = isListed(t.Context(), nil, &schema.ListParams{ID: task.ID.String()}, &task)
		require.NoError(t, err)
		require.True(t, listed)
	}
}

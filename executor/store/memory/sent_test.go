package memory_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// That a task has left an outbox is told before all else that becomes of it, also where it ends at once.
func TestSentIsToldFirst(t *testing.T) {
	s := memory.New(memory.Options{})
	defer s.Close()
	feed := new(kit.Feed)
	feed.SetSeq(7) // of an earlier store
	s.PublishTo(feed)
	w := feed.Watch()
	_, seq, err := w.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
	require.NoError(t, err)
	require.Zero(t, seq, "the feed has the numbers of the store")
	one := executor.Submission{Record: executor.Record{Task: schema.Task{
		ID: uuid.New(), Type: "plain", Labels: map[string]string{"a": "b"}, CreatedAt: 1, Input: []byte("{}"), Conditions: &schema.Conditions{ExpiresAt: 2},
	}}, Posted: true}
	for range 2 { // a second time it is there already
		_, err = s.Submit(t.Context(), []executor.Submission{one})
		require.NoError(t, err)
	}
	var events []executor.Event
	for len(events) < 2 {
		more, err := w.Next(t.Context())
		require.NoError(t, err)
		events = append(events, more...)
	}
	require.Equal(t, executor.EventUpdated, events[0].Kind)
	require.True(t, events[0].Sent)
	require.Equal(t, one.Labels, events[0].Task.Labels)
	require.Equal(t, executor.EventFinished, events[1].Kind)
	require.Equal(t, schema.KindExpired, events[1].Task.Error.Kind)
	require.Greater(t, events[1].Seq, events[0].Seq)
	require.NoError(t, s.Close())
	feed.Tell(0, 0, executor.Event{ID: one.ID, Kind: executor.EventFinished, Task: events[1].Task})
	told, err := w.Next(t.Context())
	require.NoError(t, err, "the store does not close a feed that is not its own")
	require.Equal(t, events[1].Seq, told[0].Seq, "it has no number of its own")
}

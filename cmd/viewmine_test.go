package cmd

import (
	"io"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// TestOwnTasksAreReplacedWhole holds a file of tasks open while another is added: a process that is
// killed then, or a full disk, leaves the one that was there.
func TestOwnTasksAreReplacedWhole(t *testing.T) {
	m := newOwnTasks(t.TempDir(), "unicorn")
	first, second := uuid.New(), uuid.New()
	if err := m.add(first); err != nil {
		t.Skipf("there are no locks on this system: %v", err)
	}
	before, err := os.Open(m.file)
	require.NoError(t, err)
	defer before.Close()
	require.NoError(t, m.add(second))
	text, err := io.ReadAll(before)
	require.NoError(t, err)
	require.Equal(t, first.String()+"\n", string(text))
	require.Contains(t, readText(t, m.file), second.String())

	entries, err := os.ReadDir(m.folder)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the file and its lock")
	m.remove(first)
	m.remove(second)
	m.close()
	entries, err = os.ReadDir(m.folder)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestOwnTasksAreAskedForOnce: the server is asked again for a task that is not listed only where an
// event has told of it, or events were lost.
func TestOwnTasksAreAskedForOnce(t *testing.T) {
	mine := newOwnTasks("", "unicorn")
	k := &viewedTasks{viewer: &viewer{mine: mine}}
	k.forget()
	queued, other := schema.Task{ID: uuid.New()}, uuid.New()
	require.NoError(t, mine.add(queued.ID))
	k.own[queued.ID] = queued
	k.noted(client.Event{Started: &schema.StartedEvent{ID: other}})
	k.forget()
	found, err := k.task(t.Context(), nil, queued.ID) // without a client
	require.NoError(t, err)
	require.Equal(t, queued.ID, found.ID)
	k.noted(client.Event{Started: &schema.StartedEvent{ID: queued.ID}})
	k.forget()
	require.Empty(t, k.own)
	k.own[queued.ID] = queued
	k.noted(client.Event{Lost: &client.LostEvents{Count: 1}})
	k.forget()
	require.Empty(t, k.own)
}

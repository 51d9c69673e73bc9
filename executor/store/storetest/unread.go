package storetest

import (
	"bytes"
	"runtime"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The memory of a watcher that nobody reads is bounded, whatever the tasks have written, were given
// and have returned.
const (
	unreadTasks = 100
	unreadBytes = 1 << 20  // the size of a task's input, of its result and of its output
	unreadMost  = 64 << 20 // less than the inputs alone, the results alone or the outputs alone
	// unreadFull is how many large ends are more than a watcher holds whole.
	unreadFull = 24
)

// unreadPart is the part of the suite that measures memory.
const unreadPart = "unread watcher"

var unreadContracts = []contract{
	{name: "keeps no output, input or result of tasks that are gone", limits: Limits{Keep: 10}, test: unreadIsCheap, alone: true},
	{name: "has the ends of small tasks whole", limits: Limits{Keep: 10}, test: unreadSmall},
}

// heap is how many bytes are live.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// large runs a task that is large in every way.
func (f *fixture) large(w executor.Watcher) uuid.UUID {
	f.Helper()
	text := `"` + strings.Repeat("x", unreadBytes) + `"`
	id := f.one(ownedBy(w, executor.AllEvents), withInput(text), withLabels(map[string]string{"k": strings.Repeat("l", 256)}))
	l := f.claim()
	require.NoError(f, l.Started(1))
	require.NoError(f, l.Progress(schema.Progress{Value: 1}))
	require.NoError(f, l.Write(schema.Stdout, bytes.Repeat([]byte("o"), unreadBytes)))
	f.finish(l, executor.Outcome{State: schema.Completed, Result: []byte(strings.Clone(text))})
	return id
}

func unreadIsCheap(f *fixture) {
	w := f.watch()
	before := heap()
	var ids []uuid.UUID
	for range unreadTasks {
		ids = append(ids, f.large(w))
	}
	require.Less(f, heap(), before+unreadMost)
	require.Less(f, w.Size(), int64(unreadMost))
	ends := map[uuid.UUID]*schema.Task{}
	for _, ev := range f.drain(w) {
		if ev.Kind == executor.EventFinished {
			require.Nil(f, ends[ev.ID])
			ends[ev.ID] = ev.Task
		}
	}
	require.Len(f, ends, unreadTasks, "no end is lost")
	first, last := ends[ids[0]], ends[ids[unreadTasks-1]]
	require.Len(f, first.Result, unreadBytes+2, "what comes first is whole")
	require.False(f, first.Incomplete)
	require.Nil(f, last.Result)
	require.True(f, last.Incomplete)
	whole := asEvent(f.get(ids[unreadTasks-1]))
	require.Len(f, whole.Result, unreadBytes+2)
	whole.Result, whole.Labels, whole.Progress, whole.Incomplete = nil, nil, nil, true
	require.Equal(f, whole, *last, "all else is there")
}

// unreadSmall has so many ends that there would be no room for them if they were
// large. Small ends are not read again.
func unreadSmall(f *fixture) {
	w := f.watch()
	for range unreadFull {
		f.large(w)
	}
	require.Less(f, w.Size(), int64(unreadFull*unreadBytes), "there is no room for the last of the large ones")
	small := f.ran(ownedBy(w, executor.DefaultEvents))
	events := f.drain(w)
	last := events[len(events)-1]
	require.Equal(f, small, last.ID)
	require.Equal(f, asEvent(f.get(small)), *last.Task)
}

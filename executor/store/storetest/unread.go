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
	unreadKept  = 10       // tasks that the store keeps
	// unreadFull is how many large ends are more than a watcher holds whole.
	unreadFull = 24
)

var unreadContracts = []contract{
	{name: "keeps no output, input or result of tasks that are gone", limits: Limits{Keep: unreadKept}, test: unreadIsCheap},
	{name: "has the ends of small tasks whole", limits: Limits{Keep: unreadKept}, test: unreadSmall},
}

// heap is how many bytes are live. In real time it is 0: the process has other tests and the servers of the store, and what they
// hold varies.
func (f *fixture) heap() int64 {
	if f.real {
		return 0
	}
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
	before := f.heap()
	var ids []uuid.UUID
	for range unreadTasks {
		ids = append(ids, f.large(w))
	}
	require.Less(f, f.heap(), before+unreadMost)
	size := w.Size()
	require.Less(f, size, int64(unreadMost))
	counts, err := f.store.Counts(f.Context())
	require.NoError(f, err)
	require.EqualValues(f, unreadKept, counts.Completed, "tasks that the store holds")
	ends, held := map[uuid.UUID]*schema.Task{}, 0
	for _, ev := range f.drain(w) {
		if ev.Task != nil {
			require.Nil(f, ev.Task.Input)
			held += len(ev.Task.Result)
		}
		if ev.Kind == executor.EventFinished {
			require.Nil(f, ends[ev.ID])
			ends[ev.ID] = ev.Task
		}
	}
	require.Len(f, ends, unreadTasks, "no end is lost")
	require.LessOrEqual(f, int64(held), size, "the size counts all that was held")
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

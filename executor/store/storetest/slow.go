package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var slowContracts = []contract{
	{name: "loses no start and no end of its own", test: slowLosesNothing},
	{name: "is told where it subscribes to more than is kept", test: slowSubscriber},
	{name: "is told where it subscribes to larger ones than are kept", test: slowSubscriberOfMuch},
	{name: "has the newest progress, and little more", test: slowProgress},
	{name: "has output joined", test: slowJoined},
	{name: "has all output that it is to be kept", test: slowWhole},
	{name: "has a bounded part of mixed output", test: slowMixed},
}

func slowLosesNothing(f *fixture) {
	const tasks = 6000
	w := f.watch()
	f.accept(numbered(tasks, withRerun(true), ownedBy(w, executor.DefaultEvents))...)
	f.crew(1)()
	started, finished := map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for _, ev := range f.drain(w) {
		switch ev.Kind {
		case executor.EventStarted:
			started[ev.ID]++
		case executor.EventFinished:
			require.Equal(f, 1, started[ev.ID])
			finished[ev.ID]++
		default:
			require.Zero(f, finished[ev.ID], "nothing comes after the end")
		}
	}
	require.Len(f, started, tasks)
	require.Len(f, finished, tasks)
}

// slowSubscriber subscribes to everything, and has submitted some of it: that
// alone is kept, and the replay of what was dropped makes it whole.
func slowSubscriber(f *fixture) {
	const tasks, most = 6000, 3000
	w := f.watch()
	f.ran(ownedBy(w, executor.DefaultEvents))
	f.subscribe(w, executor.Selector{Events: executor.DefaultEvents})
	f.accept(numbered(tasks, withRerun(true))...)
	own := numbered(tasks/10, withRerun(true), ownedBy(w, executor.DefaultEvents))
	f.accept(own...)
	f.crew(1)()
	events := f.drain(w)
	require.Less(f, len(events), most)
	lag := slices.IndexFunc(events, func(ev executor.Event) bool { return ev.Kind == executor.EventLag })
	require.Equal(f, 2, lag, "where the first was that is missing")
	require.Equal(f, events[1].Seq, events[lag].Seq)
	require.Equal(f, 2+1+3*len(own), len(events), "start, progress and end of each")
	through := uint64(events[lag].End)
	require.Equal(f, events[len(events)-1].Seq, through)
	ends := map[uuid.UUID]bool{}
	for _, ev := range f.replayAll(events[lag].Seq, through, 1000) {
		ends[ev.ID] = true
	}
	require.Equal(f, tasks+len(own), len(ends))

	f.ran() // what comes after that is as ever
	events = f.drain(w)
	require.Len(f, events, 2)
	require.Greater(f, events[0].Seq, through)
}

func slowSubscriberOfMuch(f *fixture) {
	const tasks, most = 12, 10 << 20
	great := executor.Outcome{State: schema.Completed, Result: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}
	w := f.watchAll()
	for range tasks {
		f.one()
		f.finish(f.claim(), great)
		require.Less(f, w.Size(), int64(most))
	}
	require.Zero(f, w.Size())
	events := f.drain(w)
	require.Len(f, events, 1)
	require.Equal(f, executor.EventLag, events[0].Kind)
	require.Len(f, f.replayAll(events[0].Seq, latest, 100), tasks)
}

// slowMost is far above what a watcher has to hold of one or two tasks, and
// far below what they send in these tests.
const slowMost = 10_000

func slowProgress(f *fixture) {
	const reports = 50_000
	w := f.watchAll()
	f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	for n := range reports {
		require.NoError(f, lease.Progress(schema.Progress{Value: float64(n)}))
	}
	f.finish(lease, completed)
	events := f.drain(w)
	require.Less(f, len(events), slowMost)
	require.Equal(f, executor.EventStarted, events[0].Kind)
	newest := events[len(events)-2]
	require.Equal(f, executor.EventProgress, newest.Kind)
	require.Equal(f, float64(reports-1), newest.Progress.Value)
}

func slowJoined(f *fixture) {
	const writes = 50_000
	w := f.watchAll()
	id := f.one()
	lease := f.claim()
	for range writes {
		require.NoError(f, lease.Write(schema.Stdout, []byte("x")))
	}
	events := f.drain(w)
	require.Less(f, len(events), slowMost)
	var next int64
	for _, ev := range events {
		require.Equal(f, id, ev.ID)
		require.Equal(f, next, ev.Offset)
		next = ev.End
	}
	require.Equal(f, int64(writes), next)
}

// slowMixed writes to two streams in turn, so that no two pieces can be joined.
func slowMixed(f *fixture) {
	const writes = 50_000
	w := f.watchAll()
	f.one()
	lease := f.claim()
	var total [2]int64
	for n := range writes {
		text := fmt.Sprintln(n)
		require.NoError(f, lease.Write(schema.Stream(n%2), []byte(text)))
		total[n%2] += int64(len(text))
	}
	events := f.drain(w)
	require.Less(f, len(events), slowMost)
	var ends [2]int64
	for _, ev := range events {
		require.GreaterOrEqual(f, ev.Offset, ends[ev.Stream], "no piece twice")
		ends[ev.Stream] = ev.End
	}
	require.Equal(f, total, ends, "the newest is there")
}

// slowWhole asks for all output of one of two tasks, and takes that back.
func slowWhole(f *fixture) {
	const writes = 20_000
	w := f.watch()
	tasks := []*writer{f.mixed(w, true), f.mixed(w, false)}
	for range writes {
		for _, task := range tasks {
			task.next()
		}
	}
	seen := map[uuid.UUID]int{}
	ends := [2]int64{}
	for _, ev := range f.drain(w) {
		seen[ev.ID]++
		if ev.ID == tasks[0].id {
			require.Equal(f, ends[ev.Stream], ev.Offset, "nothing is missing")
			ends[ev.Stream] = ev.End
		}
	}
	require.Equal(f, writes, seen[tasks[0].id])
	require.Less(f, seen[tasks[1].id], slowMost)
	w.KeepOutput(tasks[0].id, false)
	for range writes {
		tasks[0].next()
	}
	require.Less(f, len(f.drain(w)), slowMost)
}

// writer is a task that writes a byte to two streams in turn, so that no two
// pieces can be joined.
type writer struct {
	*fixture
	id    uuid.UUID
	lease executor.Lease
	n     int
}

func (f *fixture) mixed(w executor.Watcher, whole bool) *writer {
	id := f.one(ownedBy(w, executor.AllEvents))
	if whole {
		w.KeepOutput(id, true)
	}
	return &writer{f, id, f.claim(), 0}
}

func (w *writer) next() {
	require.NoError(w, w.lease.Write(schema.Stream(w.n%2), []byte{'x'}))
	w.n++
}

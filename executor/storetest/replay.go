package storetest

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var replayContracts = []contract{
	{name: "has the newest event of every task", test: replayNewest},
	{name: "begins after a number", test: replayAfter},
	{name: "goes on with what comes", test: replayGoesOn},
	{name: "is of a watcher of all", test: replayNotOwned},
	{name: "says when an end is no longer kept", limits: Limits{Keep: 2}, test: replayGone},
}

var slowContracts = []contract{
	{name: "loses no start and no end", test: slowLosesNothing},
	{name: "has the newest progress, and little more", test: slowProgress},
	{name: "has output joined", test: slowJoined},
	{name: "has a bounded part of mixed output", test: slowMixed},
}

func (f *fixture) replay(after uint64) []executor.Event {
	f.Helper()
	return f.drain(f.watch(executor.WatchOptions{All: true, After: &after}))
}

func replayNewest(f *fixture) {
	first := f.ran()
	cancelled := f.one()
	f.cancel(cancelled, executor.Cancellation{})
	running := f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	f.one() // what is queued has had no event
	events := f.replay(0)
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventFinished, executor.EventStarted), kinds(events))
	for i, id := range []uuid.UUID{first, cancelled, running} {
		require.Equal(f, id, events[i].ID)
	}
	require.Equal(f, f.get(first).Task, *events[0].Task)
}

func replayAfter(f *fixture) {
	w := f.watchAll()
	f.ran()
	seen := f.drain(w)
	last := seen[len(seen)-1].Seq
	require.Empty(f, f.replay(last))
	second := f.ran()
	events := f.replay(last)
	require.Len(f, events, 1)
	require.Equal(f, second, events[0].ID)
	require.Equal(f, f.drain(w)[1].Seq, events[0].Seq, "with the number that it had")
	require.Len(f, f.replay(seen[0].Seq), 2)
}

func replayGoesOn(f *fixture) {
	f.ran()
	w := f.watch(executor.WatchOptions{All: true, After: new(uint64(0))})
	id := f.ran()
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventStarted, executor.EventFinished), kinds(events))
	require.Equal(f, id, events[1].ID)
}

func replayNotOwned(f *fixture) {
	f.ran()
	require.Empty(f, f.drain(f.watch(executor.WatchOptions{After: new(uint64(0))})), "no task is this watcher's")
}

func replayGone(f *fixture) {
	w := f.watchAll()
	f.ran()
	seen := f.drain(w)
	end := seen[len(seen)-1].Seq
	f.ran()
	f.ran() // the first is no longer kept
	for after, gone := range map[uint64]bool{0: true, end - 1: true, end: false} {
		_, err := f.store.Watch(f.Context(), executor.WatchOptions{All: true, After: &after})
		if gone {
			require.ErrorIs(f, err, executor.ErrEventsGone, after)
		} else {
			require.NoError(f, err, after)
			require.Len(f, f.replay(after), 2)
		}
	}
}

func slowLosesNothing(f *fixture) {
	const tasks = 6000
	w := f.watchAll()
	for range tasks {
		f.live()
	}
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

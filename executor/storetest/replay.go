package storetest

import (
	"math"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

var replayContracts = []contract{
	{name: "has the newest event of every task", test: replayNewest},
	{name: "is of what came after a number", test: replayAfter},
	{name: "says when an end is no longer kept", limits: Limits{Keep: 2}, test: replayGone},
}

// latest is beyond every sequence number of a test.
const latest = uint64(math.MaxInt64)

func (f *fixture) replay(after, through uint64, limit int) []executor.Event {
	f.Helper()
	events, err := f.store.Replay(f.Context(), after, through, limit)
	require.NoError(f, err)
	return events
}

func replayNewest(f *fixture) {
	first := f.ran()
	cancelled := f.one()
	f.cancel(cancelled, executor.Cancellation{})
	running := f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	f.one() // what is queued has had no event
	events := f.replay(0, latest, 10)
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
	require.Empty(f, f.replay(last, latest, 10))
	second := f.ran()
	events := f.replay(last, latest, 10)
	require.Len(f, events, 1)
	require.Equal(f, second, events[0].ID)
	require.Equal(f, f.drain(w)[1].Seq, events[0].Seq, "with the number that it had")
	require.Len(f, f.replay(seen[0].Seq, latest, 10), 2)
}

func replayGone(f *fixture) {
	w := f.watchAll()
	f.ran()
	seen := f.drain(w)
	end := seen[len(seen)-1].Seq
	f.ran()
	f.ran() // the first is no longer kept
	for after, gone := range map[uint64]bool{0: true, end - 1: true, end: false} {
		events, err := f.store.Replay(f.Context(), after, latest, 10)
		if !gone {
			require.NoError(f, err, after)
			require.Len(f, events, 2)
			continue
		}
		var wrong *executor.EventsGoneError
		require.ErrorAs(f, err, &wrong, after)
		require.Equal(f, executor.EventsGoneError{After: after, Oldest: end}, *wrong)
	}
}

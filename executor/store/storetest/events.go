package storetest

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var eventContracts = []contract{
	{name: "tell the life of a task in order", test: eventsLife},
	{name: "of a task cancelled in the queue are its end", test: eventsCancelled},
	{name: "of a finish leave numbers for its output", test: eventsFinishRoom},
	{name: "go to the owner by its mask", test: eventsOwner},
	{name: "all go to a watcher of all", test: eventsAll},
	{name: "a slice is good until the next call", test: eventsSlice},
	{name: "next waits, and ends with the cause of its context", test: eventsNext},
	{name: "a closed watcher gets nothing", test: eventsClosed},
	{name: "a mark stands behind what was, before what comes", test: eventsMark},
}

var followContracts = []contract{
	{name: "adds a task, for some kinds", test: followAdds},
	{name: "calls add up and are taken back one by one", test: followCounts},
	{name: "of a task of one's own adds kinds and repeats none", test: followOwn},
	{name: "of a watcher of all changes nothing", test: followAll},
	{name: "of a closed watcher changes nothing", test: followClosed},
}

// live runs a task with one event of each kind.
func (f *fixture) live(set ...func(*executor.Submission)) uuid.UUID {
	f.Helper()
	id := f.one(set...)
	f.act(f.claim(), completed)
	return id
}

func eventsLife(f *fixture) {
	w := f.watchAll()
	id := f.live()
	events := f.drain(w)
	require.Equal(f, []executor.EventKind{
		executor.EventStarted, executor.EventProgress, executor.EventOutput, executor.EventFinished,
	}, kinds(events))
	for i, ev := range events {
		require.Equal(f, id, ev.ID)
		require.True(f, i == 0 || ev.Seq > events[i-1].Seq)
	}
	require.NotZero(f, events[0].Seq)
	require.Equal(f, int32(1), events[0].Attempt)
	require.Equal(f, 42, events[0].PID)
	require.Equal(f, f.get(id).StartedAt, events[0].StartedAt)
	require.Equal(f, 1.0, events[1].Progress.Value)
	require.Equal(f, schema.Stderr, events[2].Stream)
	require.Equal(f, [2]int64{0, 4}, [2]int64{events[2].Offset, events[2].End})
	require.Equal(f, asEvent(f.get(id)), *events[3].Task)
}

func eventsCancelled(f *fixture) {
	w := f.watchAll()
	id := f.one()
	f.cancel(id, executor.Cancellation{Reason: "why"})
	events := f.drain(w)
	require.Equal(f, []executor.EventKind{executor.EventFinished}, kinds(events))
	require.Equal(f, asEvent(f.get(id)), *events[0].Task)
}

func eventsFinishRoom(f *fixture) {
	w := f.watchAll()
	var last uint64
	for range 3 {
		f.live()
		for _, ev := range f.drain(w) {
			if ev.Kind == executor.EventFinished {
				require.GreaterOrEqual(f, ev.Seq-last, executor.SeqsPerFinish)
			}
			last = ev.Seq
		}
	}
}

func eventsOwner(f *fixture) {
	owner, other := f.watch(), f.watch()
	require.NotEqual(f, owner.ID(), other.ID())
	f.live(ownedBy(owner, maskOf(executor.EventStarted, executor.EventOutput)))
	f.live(ownedBy(owner, 0))
	f.live()
	told := f.live(ownedBy(owner, maskOf().TellingEnd()))
	wanted := f.live(ownedBy(owner, maskOf(executor.EventFinished).TellingEnd()))
	events := f.drain(owner)
	require.Equal(f, []executor.EventKind{
		executor.EventStarted, executor.EventOutput, executor.EventFinished, executor.EventFinished, executor.EventFinished,
	}, kinds(events))
	require.True(f, events[0].Wanted)
	require.False(f, events[2].Wanted, "the end was not asked for, but it is the end of the output")
	require.Equal(f, told, events[3].ID)
	require.False(f, events[3].Wanted, "the end was not asked for, but it is told")
	require.Equal(f, wanted, events[4].ID)
	require.True(f, events[4].Wanted)
	require.Empty(f, f.drain(other))
}

func eventsAll(f *fixture) {
	owner, all := f.watch(), f.watchAll()
	f.live(ownedBy(owner, executor.AllEvents))
	f.live(ownedBy(owner, 0))
	f.live()
	events := f.drain(all)
	require.Len(f, events, 12)
	for _, ev := range events {
		require.True(f, ev.Wanted)
	}
	require.Len(f, f.drain(owner), 4)
}

func eventsSlice(f *fixture) {
	w := f.watchAll()
	first := f.ran()
	f.idle()
	events, err := w.Next(f.Context())
	require.NoError(f, err)
	require.Equal(f, first, events[0].ID)
	f.ran()
	f.idle()
	require.Equal(f, first, events[0].ID, "what comes later stays out of it")
	require.Len(f, f.drain(w), 4-len(events))
}

func eventsNext(f *fixture) {
	w := f.watchAll()
	ctx, cancel := context.WithCancelCause(f.Context())
	got := make(chan error, 1)
	next := func() {
		_, err := w.Next(ctx)
		got <- err
	}
	go next()
	f.idle()
	require.Empty(f, got)
	f.ran()
	require.NoError(f, <-got)
	f.drain(w)

	go next()
	f.idle()
	cause := errors.New("enough")
	cancel(cause)
	require.ErrorIs(f, <-got, cause)
	f.ran()
	require.Len(f, f.drain(w), 2, "what came after is not lost")
}

func eventsClosed(f *fixture) {
	w := f.watchAll()
	got := make(chan error, 1)
	go func() {
		_, err := w.Next(f.Context())
		got <- err
	}()
	f.idle()
	w.Close()
	require.ErrorIs(f, <-got, executor.ErrClosed)
	w.Close()
	f.live()
	_, err := w.Next(f.Context())
	require.ErrorIs(f, err, executor.ErrClosed)
}

func eventsMark(f *fixture) {
	w := f.watch()
	f.ran(ownedBy(w, maskOf(executor.EventFinished)))
	f.barrier(w)
	f.ran(ownedBy(w, maskOf(executor.EventFinished)))
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventBarrier, executor.EventFinished), kinds(f.drain(w)))

	got := make(chan []executor.EventKind, 1)
	go func() {
		events, err := w.Next(f.Context())
		got <- kinds(events)
		require.NoError(f, err)
	}()
	f.idle()
	f.barrier(w)
	require.Equal(f, kindsOf(executor.EventBarrier), <-got, "it wakes")
}

func followAdds(f *fixture) {
	w := f.watch()
	r := task()
	f.follow(w, r.ID, maskOf(executor.EventProgress, executor.EventFinished))
	f.live()
	f.live(func(mine *executor.Submission) { *mine = r })
	events := f.drain(w)
	require.Equal(f, []executor.EventKind{executor.EventProgress, executor.EventFinished}, kinds(events))
	for _, ev := range events {
		require.Equal(f, r.ID, ev.ID)
		require.False(f, ev.Wanted)
	}
}

func followCounts(f *fixture) {
	w := f.watch()
	finished, started := maskOf(executor.EventFinished), maskOf(executor.EventStarted)
	for _, step := range []struct {
		name string
		do   func(id uuid.UUID)
		want []executor.EventKind
	}{
		{"twice is one event", func(id uuid.UUID) { f.follow(w, id, finished); f.follow(w, id, finished) }, kindsOf(executor.EventFinished)},
		{"one of two is left", func(id uuid.UUID) {
			f.follow(w, id, finished|started)
			f.follow(w, id, finished)
			w.Unfollow(id, finished|started)
		}, kindsOf(executor.EventFinished)},
		{"none is left", func(id uuid.UUID) { f.follow(w, id, finished); w.Unfollow(id, finished) }, nil},
		{"there was none", func(id uuid.UUID) { w.Unfollow(id, finished) }, nil},
		{"kinds add up", func(id uuid.UUID) { f.follow(w, id, finished); f.follow(w, id, started) },
			kindsOf(executor.EventStarted, executor.EventFinished)},
	} {
		r := task()
		step.do(r.ID)
		f.live(func(mine *executor.Submission) { *mine = r })
		require.Equal(f, step.want, kinds(f.drain(w)), step.name)
	}
}

func kindsOf(ks ...executor.EventKind) []executor.EventKind { return ks }

func followOwn(f *fixture) {
	w := f.watch()
	id := f.one(ownedBy(w, maskOf(executor.EventFinished)))
	f.follow(w, id, maskOf(executor.EventStarted, executor.EventFinished))
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	f.finish(lease, completed)
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventFinished), kinds(events))
	require.False(f, events[0].Wanted, "it was not asked for at submit")
	require.True(f, events[1].Wanted)
}

func followAll(f *fixture) {
	w := f.watchAll()
	r := task()
	f.follow(w, r.ID, executor.AllEvents)
	f.live(func(mine *executor.Submission) { *mine = r })
	w.Unfollow(r.ID, executor.AllEvents)
	require.Len(f, f.drain(w), 4)
}

func followClosed(f *fixture) {
	w := f.watch()
	r := task()
	w.Close()
	require.ErrorIs(f, w.Follow(f.Context(), r.ID, executor.AllEvents), executor.ErrClosed)
	f.live(func(mine *executor.Submission) { *mine = r })
	_, err := w.Next(f.Context())
	require.ErrorIs(f, err, executor.ErrClosed)
}

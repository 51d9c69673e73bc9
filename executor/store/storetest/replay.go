package storetest

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var replayContracts = []contract{
	{name: "has the start or the end of every task", test: replayEvery},
	{name: "is of what came after a number", test: replayAfter},
	{name: "shows what runs as started", test: replayRunning},
	{name: "pages by number", test: replayPages},
	{name: "skips nothing where results are large", test: replayGreat},
	{name: "and a subscription together lose nothing", test: replayMeetsEvents},
	{name: "says when an end is no longer kept", limits: Limits{Keep: 2}, test: replayGone},
	{name: "says so also while tasks end", limits: Limits{Keep: 5}, test: replayMeetsRetention},
}

// latest is beyond every sequence number of a test.
const latest = uint64(math.MaxInt64)

// replay reads one page.
func (f *fixture) replay(after, through uint64, limit int) []executor.Event {
	f.Helper()
	events, err := f.store.Replay(f.Context(), after, through, limit)
	require.NoError(f, err)
	return events
}

// replayAll reads pages until one is empty.
func (f *fixture) replayAll(after, through uint64, limit int) []executor.Event {
	f.Helper()
	var events []executor.Event
	for {
		page := f.replay(after, through, limit)
		require.LessOrEqual(f, len(page), limit)
		if len(page) == 0 {
			return events
		}
		for _, ev := range page {
			require.Greater(f, ev.Seq, after)
			require.LessOrEqual(f, ev.Seq, through)
			after = ev.Seq
		}
		events = append(events, page...)
	}
}

func replayEvery(f *fixture) {
	first := f.ran()
	cancelled := f.one()
	f.cancel(cancelled, executor.Cancellation{})
	running := f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	f.one() // what is queued has had no event
	f.until("the start", func() bool { return len(f.replay(0, latest, 10)) == 3 })
	events := f.replay(0, latest, 10)
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventFinished, executor.EventStarted), kinds(events))
	for i, id := range []uuid.UUID{first, cancelled, running} {
		require.Equal(f, id, events[i].ID)
	}
	require.Equal(f, asEvent(f.get(first)), *events[0].Task)
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

// replayRunning has a task that has started, with and without more to show
// than that, and one that is claimed and has not.
func replayRunning(f *fixture) {
	w := f.watchAll()
	r := task(ofType("special"), withLabels(map[string]string{"k": "v"}), withPriority(3))
	f.accept(r)
	lease := f.claim()
	require.Empty(f, f.replay(0, latest, 10))
	require.NoError(f, lease.Started(42))
	f.until("the start", func() bool { return len(f.replay(0, latest, 10)) > 0 }) // a store may publish it later
	start := f.drain(w)[0].Seq
	for range 2 {
		require.Equal(f, f.replay(0, latest, 10), f.replay(start-1, start, 10), "whatever has come since")
		events := f.replay(0, latest, 10)
		require.Len(f, events, 1)
		ev := events[0]
		require.Equal(f, executor.EventStarted, ev.Kind)
		require.Equal(f, start, ev.Seq, "the number that it had")
		require.Equal(f, int32(1), ev.Attempt)
		require.Equal(f, f.get(r.ID).StartedAt, ev.StartedAt)
		require.Equal(f, r.ID, ev.ID)
		require.Equal(f, "special", ev.Task.Type)
		require.Equal(f, r.Labels, ev.Task.Labels)
		require.Equal(f, r.Priority, ev.Task.Priority)
		require.Equal(f, r.CreatedAt, ev.Task.CreatedAt)
		require.Empty(f, f.replay(ev.Seq, latest, 10))
		require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
		require.NoError(f, lease.Write(schema.Stdout, []byte("text")))
	}
}

// replayPages has ends, and in between tasks that run on.
func replayPages(f *fixture) {
	w := f.watchAll()
	for n := range 20 {
		f.ran()
		if n%4 == 0 {
			f.one()
			require.NoError(f, f.claim().Started(0))
		}
	}
	var want []uint64
	newest := map[uuid.UUID]uint64{}
	for _, ev := range f.drain(w) {
		newest[ev.ID] = ev.Seq
	}
	for _, seq := range newest {
		want = append(want, seq)
	}
	slices.Sort(want)
	for _, limit := range []int{1, 2, 7, 24, 25, 26, 1000} {
		require.Equal(f, want, seqs(f.replayAll(0, latest, limit)), limit)
	}
	require.Len(f, f.replay(0, latest, 7), 7)
	for i, seq := range want {
		require.Equal(f, want[:i+1], seqs(f.replayAll(0, seq, 3)), "through is included")
		require.Equal(f, want[i+1:], seqs(f.replayAll(seq, latest, 3)), "after is not")
		require.Empty(f, f.replay(seq, seq, 3))
	}
}

func seqs(events []executor.Event) []uint64 {
	all := make([]uint64, len(events))
	for i := range events {
		all[i] = events[i].Seq
	}
	return all
}

// replayGreat has results that are together larger than a store may want to hold at
// once, and after them a running task.
func replayGreat(f *fixture) {
	const tasks = 12
	great := executor.Outcome{State: schema.Completed, Result: []byte(`"` + strings.Repeat("x", 1<<20) + `"`)}
	var want []uuid.UUID
	for range tasks {
		want = append(want, f.one())
		f.finish(f.claim(), great)
	}
	want = append(want, f.one())
	require.NoError(f, f.claim().Started(0))
	var got []uuid.UUID
	for _, ev := range f.replayAll(0, latest, 100) {
		got = append(got, ev.ID)
		if ev.Kind == executor.EventFinished {
			require.Equal(f, great.Result, []byte(ev.Task.Result))
		}
	}
	require.Equal(f, want, got)
}

// replayMeetsEvents lets watchers come while tasks run: what each replays, up
// to the number of its subscription, and what it is sent after that are all.
func replayMeetsEvents(f *fixture) {
	const watchers, tasks, workers = 12, 25, 3
	stop := f.crew(workers)
	type view struct {
		executor.Watcher
		seq      uint64
		replayed []executor.Event
	}
	var views []view
	for range watchers {
		for range tasks {
			f.one()
		}
		v := view{Watcher: f.watch()}
		_, v.seq = f.subscribe(v, executor.Selector{Events: executor.AllEvents})
		v.replayed = f.replayAll(0, v.seq, 5)
		views = append(views, v)
	}
	stop()
	for _, v := range views {
		live := f.drain(v.Watcher)
		if len(live) > 0 { // the crew may have been done before the last came
			require.Greater(f, live[0].Seq, v.seq)
		}
		ends, runs := map[uuid.UUID]int{}, map[uuid.UUID]bool{}
		for _, ev := range append(v.replayed, live...) {
			require.Zero(f, ends[ev.ID], "an event after the end")
			if ev.Kind == executor.EventFinished {
				ends[ev.ID]++
				require.True(f, ev.Task.State.Final())
			} else {
				runs[ev.ID] = true
			}
		}
		require.Len(f, ends, watchers*tasks)
		for id := range runs {
			require.Equal(f, 1, ends[id])
		}
	}
}

func replayGone(f *fixture) {
	w := f.watchAll()
	f.ran()
	seen := f.drain(w)
	end := seen[len(seen)-1].Seq
	f.ran()
	f.ran() // the first is no longer kept
	f.requireGone(end)
	f.accept(numbered(1)...)
	f.requireGone(end) // also while a task waits
}

// requireGone reads pages from before the end that is no longer kept, and from there on.
func (f *fixture) requireGone(end uint64) {
	f.Helper()
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
		require.Len(f, f.replay(wrong.Oldest, latest, 10), 2)
	}
}

// replayMeetsRetention reads pages while retention removes the tasks in them. Each
// page must have all ends from its beginning on, or be an error.
func replayMeetsRetention(f *fixture) {
	const rounds, tasks = 60, 10
	all, probe := f.watchAll(), f.watch()
	stop := f.crew(2)
	var ended []uint64
	for range rounds {
		f.accept(numbered(tasks, withRerun(true))...)
		for len(ended) == 0 || f.counts().Queued > 0 {
			events, err := all.Next(f.Context())
			require.NoError(f, err)
			sub, through := f.subscribe(probe, executor.Selector{})
			probe.Unsubscribe(sub)
			for _, ev := range events {
				if ev.Kind == executor.EventFinished && ev.Seq <= through {
					ended = append(ended, ev.Seq)
				}
			}
			if len(ended) > 0 {
				f.requireWhole(ended, ended[max(0, len(ended)-4)]-1, ended[len(ended)-1])
			}
		}
	}
	stop()
}

// requireWhole reads a page, in which all ends must be, or none.
func (f *fixture) requireWhole(ended []uint64, after, through uint64) {
	f.Helper()
	events, err := f.store.Replay(f.Context(), after, through, 100)
	var gone *executor.EventsGoneError
	if errors.As(err, &gone) {
		require.Greater(f, gone.Oldest, after)
		return
	}
	require.NoError(f, err)
	var got, want []uint64
	for _, ev := range events {
		if ev.Kind == executor.EventFinished {
			got = append(got, ev.Seq)
		}
	}
	for _, seq := range ended {
		if seq > after {
			want = append(want, seq)
		}
	}
	require.Equal(f, want, got)
}

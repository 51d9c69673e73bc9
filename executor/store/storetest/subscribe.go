package storetest

import (
	"context"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var subscribeContracts = []contract{
	{name: "selects tasks and kinds", test: subscribeSelects},
	{name: "with all else the same event comes once", test: subscribeUnion},
	{name: "of output is told its end", test: subscribeOutputEnd},
	{name: "begins at its number", test: subscribeBegins},
	{name: "of a task to come", test: subscribeAhead},
	{name: "is ended one by one", test: unsubscribes},
	{name: "of a closed watcher changes nothing", test: subscribeClosed},
}

// selection is a subscription of a test, with what it is to send.
type selection struct {
	name string
	executor.Selector
	want []sent
}

// sent is an event, by the number of its task.
type sent struct {
	task int
	kind executor.EventKind
}

// subscribed is a subscription that must begin.
func subscribed(t require.TestingT, w executor.Watcher, s executor.Selector) (executor.SubscriptionID, uint64) {
	id, seq, err := w.Subscribe(context.Background(), s)
	require.NoError(t, err)
	return id, seq
}

func (f *fixture) subscribe(w executor.Watcher, s executor.Selector) (executor.SubscriptionID, uint64) {
	f.Helper()
	return subscribed(f, w, s)
}

func (f *fixture) follow(w executor.Watcher, id uuid.UUID, mask executor.EventMask) {
	f.Helper()
	require.NoError(f, w.Follow(f.Context(), id, mask))
}

func (f *fixture) barrier(w executor.Watcher) {
	f.Helper()
	require.NoError(f, w.Barrier(f.Context()))
	if f.marks == nil {
		f.marks = map[executor.Watcher]int{}
	}
	f.marks[w]++
}

// subscribeSelects has a task that completes, one that fails, and one that is
// cancelled in the queue.
func subscribeSelects(f *fixture) {
	records := []executor.Submission{
		task(ofType("a"), withLabels(map[string]string{"k": "1", "l": "x"})),
		task(ofType("b"), withLabels(map[string]string{"k": "1"})),
		task(ofType("b")),
	}
	const started, progress, output, ended = executor.EventStarted, executor.EventProgress, executor.EventOutput, executor.EventFinished
	all, end := executor.AllEvents, maskOf(ended)
	label := func(k, v string) map[string]string { return map[string]string{k: v} }
	cases := []selection{
		{"everything", executor.Selector{Events: all}, []sent{
			{0, started}, {0, progress}, {0, output}, {0, ended}, {1, started}, {1, progress}, {1, output}, {1, ended}, {2, ended},
		}},
		{"no kind", executor.Selector{}, nil},
		{"a kind", executor.Selector{Events: maskOf(progress)}, []sent{{0, progress}, {1, progress}}},
		{"ids", executor.Selector{
			IDs: map[uuid.UUID]bool{records[0].ID: true, records[2].ID: true, uuid.New(): true}, Events: maskOf(started, ended),
		}, []sent{{0, started}, {0, ended}, {2, ended}}},
		{"a type", executor.Selector{Types: map[string]bool{"a": true}, Events: end}, []sent{{0, ended}}},
		{"types", executor.Selector{Types: map[string]bool{"c": true, "b": true}, Events: end}, []sent{{1, ended}, {2, ended}}},
		{"a label", executor.Selector{Labels: label("k", "1"), Events: end}, []sent{{0, ended}, {1, ended}}},
		{"labels", executor.Selector{Labels: map[string]string{"k": "1", "l": "x"}, Events: end}, []sent{{0, ended}}},
		{"a label that is not there is not empty", executor.Selector{Labels: label("m", ""), Events: end}, nil},
		{"what ended well", executor.Selector{States: []schema.State{schema.Completed}, Events: maskOf(started, ended)}, []sent{{0, ended}}},
		{"what ended badly", executor.Selector{
			States: []schema.State{schema.Failed, schema.Cancelled}, Events: maskOf(started, ended),
		}, []sent{{1, ended}, {2, ended}}},
		{"what runs", executor.Selector{States: []schema.State{schema.Running}, Events: maskOf(started, ended)}, []sent{{0, started}, {1, started}}},
		{"all of it", executor.Selector{
			IDs: map[uuid.UUID]bool{records[1].ID: true, records[2].ID: true}, Types: map[string]bool{"b": true},
			Labels: label("k", "1"), States: []schema.State{schema.Failed}, Events: end,
		}, []sent{{1, ended}}},
	}
	watchers := make([]executor.Watcher, len(cases))
	for i := range cases {
		watchers[i] = f.watch()
		f.subscribe(watchers[i], cases[i].Selector)
	}
	f.accept(records...)
	f.cancel(records[2].ID, executor.Cancellation{})
	f.act(f.claim(), completed)
	f.act(f.claim(), executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit}})
	number := map[uuid.UUID]int{records[0].ID: 0, records[1].ID: 1, records[2].ID: 2}
	for i, c := range cases {
		var got []sent
		for _, ev := range f.drain(watchers[i]) {
			got = append(got, sent{number[ev.ID], ev.Kind})
			require.True(f, ev.Wanted, c.name)
			require.Equal(f, records[number[ev.ID]].Labels, ev.Task.Labels, c.name)
		}
		require.ElementsMatch(f, c.want, got, c.name)
	}
}

// act does one thing of each kind, and ends the task.
func (f *fixture) act(lease executor.Lease, o executor.Outcome) {
	f.Helper()
	require.NoError(f, lease.Started(42))
	require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
	require.NoError(f, lease.Write(schema.Stderr, []byte("text")))
	f.finish(lease, o)
}

// subscribeUnion has a watcher that owns a task, follows it, and subscribes to
// it more than once.
func subscribeUnion(f *fixture) {
	w := f.watch()
	r := task(ownedBy(w, maskOf(executor.EventStarted, executor.EventFinished)))
	f.follow(w, r.ID, maskOf(executor.EventProgress, executor.EventOutput, executor.EventFinished))
	f.subscribe(w, executor.Selector{Types: map[string]bool{"plain": true}, Events: maskOf(executor.EventStarted, executor.EventOutput)})
	f.subscribe(w, executor.Selector{IDs: map[uuid.UUID]bool{r.ID: true}, Events: maskOf(executor.EventOutput)})
	f.accept(r)
	f.act(f.claim(), completed)
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventProgress, executor.EventOutput, executor.EventFinished), kinds(events))
	for _, ev := range events {
		require.Equal(f, ev.Kind != executor.EventProgress, ev.Wanted, ev.Kind)
	}
}

func subscribeOutputEnd(f *fixture) {
	for name, s := range map[string]executor.Selector{
		"output":               {Events: maskOf(executor.EventOutput)},
		"output while it runs": {Events: executor.AllEvents, States: []schema.State{schema.Running}},
	} {
		w := f.watch()
		f.subscribe(w, s)
		id := f.live()
		events := f.drain(w)
		last := events[len(events)-1]
		require.Equal(f, executor.EventFinished, last.Kind, name)
		require.Equal(f, id, last.ID)
		require.False(f, last.Wanted, "it was not asked for, but it is the end of the output")
	}
}

func subscribeBegins(f *fixture) {
	all, w := f.watchAll(), f.watch()
	before := f.live()
	id := f.one()
	lease := f.claim()
	require.NoError(f, lease.Started(0))
	var seen uint64
	started := false
	f.until("the start", func() bool {
		for _, ev := range f.drain(all) {
			seen, started = ev.Seq, ev.ID == id && ev.Kind == executor.EventStarted
		}
		return started
	})
	_, seq := f.subscribe(w, executor.Selector{Events: executor.AllEvents})
	require.Equal(f, seen, seq, "that of the latest event")
	f.finish(lease, completed)
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventFinished), kinds(events))
	require.Equal(f, id, events[0].ID)
	require.Greater(f, events[0].Seq, seq)
	_, again := f.subscribe(w, executor.Selector{IDs: map[uuid.UUID]bool{before: true}, Events: executor.AllEvents})
	require.Equal(f, events[0].Seq, again)
	require.Empty(f, f.drain(w), "what was is not sent")
}

func subscribeAhead(f *fixture) {
	w := f.watch()
	r := task()
	f.subscribe(w, executor.Selector{IDs: map[uuid.UUID]bool{r.ID: true}, Events: executor.DefaultEvents})
	f.live()
	f.live(func(mine *executor.Submission) { *mine = r })
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventProgress, executor.EventFinished), kinds(events))
	require.Equal(f, r.ID, events[0].ID)
}

func unsubscribes(f *fixture) {
	w := f.watch()
	first, _ := f.subscribe(w, executor.Selector{Events: maskOf(executor.EventStarted)})
	second, _ := f.subscribe(w, executor.Selector{Events: maskOf(executor.EventStarted, executor.EventFinished)})
	require.NotEqual(f, first, second)
	require.False(f, w.Unsubscribe(first+second), "there is none")
	require.False(f, f.watch().Unsubscribe(first), "it is another watcher's")
	for _, step := range []struct {
		end  executor.SubscriptionID
		want []executor.EventKind
	}{
		{second, kindsOf(executor.EventStarted)},
		{first, nil},
	} {
		require.True(f, w.Unsubscribe(step.end))
		require.False(f, w.Unsubscribe(step.end), "a second time")
		f.live()
		require.Equal(f, step.want, kinds(f.drain(w)))
	}
	third, _ := f.subscribe(w, executor.Selector{Events: maskOf(executor.EventFinished)})
	require.NotContains(f, []executor.SubscriptionID{first, second}, third, "no name is used again")
	f.live()
	require.Equal(f, kindsOf(executor.EventFinished), kinds(f.drain(w)))
}

func subscribeClosed(f *fixture) {
	w := f.watch()
	before, _ := f.subscribe(w, executor.Selector{Events: executor.AllEvents})
	w.Close()
	_, _, err := w.Subscribe(f.Context(), executor.Selector{Events: executor.AllEvents})
	require.ErrorIs(f, err, executor.ErrClosed)
	require.False(f, w.Unsubscribe(before))
	f.live()
	_, err = w.Next(f.Context())
	require.ErrorIs(f, err, executor.ErrClosed)
}

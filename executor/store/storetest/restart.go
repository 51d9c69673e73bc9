package storetest

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// restartContracts are of a store that is opened again, after it was closed
// and after a crash: what was acknowledged is there.
var restartContracts = []contract{
	{name: "of an empty store", test: restartEmpty},
	{name: "keeps final tasks as they are", test: restartFinals},
	{name: "keeps the queue in its order", test: restartQueue},
	{name: "keeps the ids", test: restartIDs},
	{name: "keeps the counts", test: restartCounts},
	{name: "keeps the limits of types", test: restartTypeLimits},
	{name: "keeps the bound of the queue", limits: Limits{MaxQueued: 3}, test: restartBounded},
	{name: "keeps the cursors of lists", test: restartPages},
	{name: "keeps what was evicted away", limits: Limits{Keep: 2}, test: restartGone},
	{name: "keeps output", test: restartOutput},
	{name: "keeps the newest output up to the limit", limits: Limits{MaxOutput: ring}, test: restartOutputLimit},
	{name: "queues again what may run again", test: restartRerun},
	{name: "ends what must not run again", test: restartInterrupted},
	{name: "ends what was to be cancelled", test: restartCancelling},
	{name: "has an end or an interruption of what ended at last", test: restartInFlight},
	{name: "never lets a number fall", test: restartSeq},
	{name: "replays every end", test: restartReplay},
	{name: "goes on as before", test: restartGoesOn},
}

func runRestarts(t *testing.T, o Options, again func(*testing.T, executor.Store) executor.Store, crashes bool) {
	if again == nil {
		t.Skip("this store leaves nothing behind")
	}
	for _, c := range slices.Concat(restartContracts, restartConditionContracts, restartScheduleContracts, restartRetryContracts, restartDedupeContracts, restartTreeContracts, restartUpdateContracts) {
		test := c.test
		c.test = func(f *fixture) {
			f.again, f.crashes = again, crashes
			test(f)
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, o) })
	}
}

// restart opens the store again.
func (f *fixture) restart() {
	f.Helper()
	f.store = f.again(f.T, f.store)
}

func restartEmpty(f *fixture) {
	f.restart()
	require.Zero(f, f.counts())
	require.Empty(f, f.replay(0, latest, 10))
	require.Empty(f, f.list(executor.Filter{}, executor.PageRequest{Limit: 10}))
	id := f.one()
	require.Equal(f, id, f.claim().Record().ID)
}

func restartQueue(f *fixture) {
	old := []int8{0, -100, 5, 0, 100, 5}
	late := []int8{5, 0, -100, 100}
	batch := numbered(len(old) + len(late))
	for i, p := range append(old, late...) {
		batch[i].Priority = p
	}
	f.accept(batch[:len(old)]...)
	f.restart()
	f.accept(batch[len(old):]...)
	f.restart()
	for _, i := range []int{4, 9, 2, 5, 6, 0, 3, 7, 1, 8} {
		r := f.claim().Record()
		require.Equal(f, batch[i].ID, r.ID)
		require.Equal(f, int32(1), r.Attempt)
	}
	require.Zero(f, f.counts().Queued)
}

func restartIDs(f *fixture) {
	final, queued := task(withInput(`{"a":1}`)), task(withInput(`{"b":[1]}`))
	f.accept(final)
	f.finish(f.claim(), completed)
	f.accept(queued)
	f.restart()
	withInput(`{ "a": 1.0 }`)(&final)
	answers := f.submit(final, queued)
	for i, want := range []schema.State{schema.Completed, schema.Queued} {
		require.NoError(f, answers[i].Err)
		require.True(f, answers[i].Existing)
		require.Equal(f, want, answers[i].Task.State)
	}
	withInput(`{"a":2}`)(&final)
	queued.Type = "other"
	for _, a := range f.submit(final, queued) {
		require.ErrorIs(f, a.Err, executor.ErrIDConflict)
	}
	require.Equal(f, executor.Counts{TaskCounts: schema.TaskCounts{Queued: 1, Completed: 1}}, f.counts())
}

func restartCounts(f *fixture) {
	for _, o := range []executor.Outcome{completed, completed, completed, {State: schema.Failed}, {State: schema.Failed}, {State: schema.Cancelled}} {
		f.one()
		f.finish(f.claim(), o)
	}
	f.cancel(f.one(), executor.Cancellation{})
	f.accept(numbered(4)...)
	before := f.counts()
	require.Equal(f, schema.TaskCounts{Queued: 4, Completed: 3, Failed: 2, Cancelled: 2}, before.TaskCounts)
	for range 2 {
		f.restart()
		require.Equal(f, before, f.counts())
	}
	for range 4 {
		f.finish(f.claim(), completed)
	}
	require.Equal(f, schema.TaskCounts{Completed: 7, Failed: 2, Cancelled: 2}, f.counts().TaskCounts)
}

func restartTypeLimits(f *fixture) {
	ids := f.accept(task(ofType("narrow"), withPriority(9)), task(ofType("narrow"), withPriority(9)), task(), task(ofType("wide")))
	f.restart()
	for _, i := range []int{0, 2, 3} {
		require.Equal(f, ids[i], f.claimWithin(limits).Record().ID)
	}
	require.True(f, f.claimer(limits).waits())
}

func restartBounded(f *fixture) {
	f.accept(numbered(3)...)
	f.restart()
	more := task()
	require.ErrorIs(f, f.submit(more)[0].Err, executor.ErrQueueFull)
	f.claim()
	f.accept(more)
}

// restartPages takes the first pages before, and the others after.
func restartPages(f *fixture) {
	ids := f.accept(numbered(50)...)
	for _, oldest := range []bool{true, false} {
		page := executor.PageRequest{Oldest: oldest, Limit: 7}
		want := ids
		if !oldest {
			want = backwards(ids)
		}
		var got []uuid.UUID
		for range 3 {
			found, err := f.store.List(f.Context(), executor.Filter{}, page)
			require.NoError(f, err)
			for _, t := range found.Tasks {
				got = append(got, t.ID)
			}
			page.Cursor = found.Next
			f.restart()
			if id := f.one(); oldest {
				want = append(want, id)
			}
		}
		require.Equal(f, want, append(got, f.list(executor.Filter{}, page)...))
		ids = backwards(f.list(executor.Filter{}, executor.PageRequest{Limit: 100}))
	}
}

func restartGone(f *fixture) {
	ids := f.many(5)
	for range ids {
		f.finish(f.claim(), completed)
	}
	_, err := f.store.Replay(f.Context(), 0, latest, 10)
	var before *executor.EventsGoneError
	require.ErrorAs(f, err, &before)
	for range 2 {
		f.restart()
		require.Equal(f, []bool{false, false, false, true, true}, f.kept(ids...))
		_, err = f.store.Replay(f.Context(), 0, latest, 10)
		var after *executor.EventsGoneError
		require.ErrorAs(f, err, &after)
		require.Equal(f, before, after)
		require.Len(f, f.replay(after.Oldest, latest, 10), 2)
		require.Zero(f, f.counts().Evicted, "of this opening")
		require.Equal(f, make([]bool, 3), f.runAgain(ids[:3]...))
	}
}

// restartGoesOn leads one task after the other through its life.
func restartGoesOn(f *fixture) {
	w := f.watchAll()
	f.live()
	want := f.drain(w)
	for n := range 3 {
		f.restart()
		w = f.watchAll()
		id := f.live()
		got := f.drain(w)
		require.Equal(f, kinds(want), kinds(got))
		require.Equal(f, asEvent(f.get(id)), *got[len(got)-1].Task)
		require.Equal(f, int64(n+2), f.counts().Completed)
	}
}

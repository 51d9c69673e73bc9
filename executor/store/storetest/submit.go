package storetest

import (
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var submitContracts = []contract{
	{name: "records what was asked", test: submitRecords},
	{name: "is idempotent on the id", test: submitIdempotent},
	{name: "compares inputs as JSON values", test: submitSameValue},
	{name: "another type or input conflicts", test: submitConflict},
	{name: "knows the ids of its own batch", test: submitOwnBatch},
	{name: "copies the records", test: submitCopies},
	{name: "of nothing is nothing", test: submitNothing},
	{name: "is bounded", limits: Limits{MaxQueued: 3}, test: submitBounded},
	{name: "an unknown id is not found", test: getUnknown},
	{name: "counts follow the life of tasks", test: countsFollow},
}

func submitRecords(f *fixture) {
	r := task(ofType("special"), withPriority(-7), withInput(`{"a":[1]}`), withLabels(map[string]string{"k": "v"}))
	r.Timeout, r.Grace, r.Rerun = 3*time.Second, 2*time.Second, true
	f.accept(r)
	got := f.get(r.ID)
	require.Equal(f, r.Timeout, got.Timeout)
	require.Equal(f, r.Grace, got.Grace)
	require.True(f, got.Rerun)
	require.Equal(f, r.Task, got.Task)
	require.Equal(f, schema.Queued, got.State)
	require.Zero(f, got.Attempt)
}

func submitIdempotent(f *fixture) {
	r := task()
	f.accept(r)
	again := f.submit(r)[0]
	require.NoError(f, again.Err)
	require.True(f, again.Existing)
	require.Equal(f, schema.Queued, again.Task.State)

	lease := f.claim()
	require.Equal(f, schema.Running, f.submit(r)[0].Task.State, "the task as it is now")
	f.finish(lease, completed)
	again = f.submit(r)[0]
	require.True(f, again.Existing)
	require.Equal(f, schema.Completed, again.Task.State)
	require.Equal(f, int64(0), f.counts().Queued)
	require.Equal(f, int64(1), f.counts().Completed, "it ran once")
}

func submitSameValue(f *fixture) {
	r := task(withInput(`{"a":1,"b":[10,"é"]}`))
	f.accept(r)
	for _, spelling := range []string{`{ "b": [1e1, "\u00e9"], "a": 1.0 }`, `{"b":[10.0,"é"],"a":1}`} {
		withInput(spelling)(&r)
		a := f.submit(r)[0]
		require.NoError(f, a.Err, spelling)
		require.True(f, a.Existing, spelling)
	}
	require.JSONEq(f, `{"a":1,"b":[10,"é"]}`, string(f.get(r.ID).Input))
}

func submitConflict(f *fixture) {
	r := task(withInput(`{"a":1}`))
	f.accept(r)
	other, wider := r, r
	other.Type = "other"
	withInput(`{"a":2}`)(&wider)
	for _, a := range f.submit(other, wider) {
		require.ErrorIs(f, a.Err, executor.ErrIDConflict)
		require.False(f, a.Existing)
	}
	f.finish(f.claim(), completed)
	require.ErrorIs(f, f.submit(other)[0].Err, executor.ErrIDConflict, "also once it is final")
	require.Equal(f, "plain", f.get(r.ID).Type)
}

func submitOwnBatch(f *fixture) {
	first, last := task(), task()
	conflict := first
	conflict.Type = "other"
	answers := f.submit(first, first, conflict, last)
	require.False(f, answers[0].Existing)
	require.True(f, answers[1].Existing)
	require.Equal(f, first.ID, answers[1].Task.ID)
	require.ErrorIs(f, answers[2].Err, executor.ErrIDConflict)
	require.NoError(f, answers[3].Err)
	require.Equal(f, int64(2), f.counts().Queued)
}

func submitCopies(f *fixture) {
	records := []executor.Submission{task()}
	id := records[0].ID
	f.accept(records...)
	records[0] = task(ofType("other"))
	require.Equal(f, "plain", f.get(id).Type)
	require.Equal(f, id, f.claim().Record().ID)
}

func submitNothing(f *fixture) {
	require.Empty(f, f.submit())
	require.Zero(f, f.counts())
}

func submitBounded(f *fixture) {
	batch := []executor.Submission{task(), task(), task(), task(), task()}
	for i, a := range f.submit(batch...) {
		if i < 3 {
			require.NoError(f, a.Err, "at the limit")
		} else {
			require.ErrorIs(f, a.Err, executor.ErrQueueFull, "past the limit")
		}
	}
	_, err := f.store.Get(f.Context(), batch[3].ID)
	require.ErrorIs(f, err, executor.ErrNotFound)
	require.True(f, f.submit(batch[0])[0].Existing, "a known id needs no place")

	f.claim()
	require.NoError(f, f.submit(batch[3])[0].Err, "what runs has left its place")
	require.ErrorIs(f, f.submit(batch[4])[0].Err, executor.ErrQueueFull)
	f.cancel(batch[1].ID, executor.Cancellation{})
	require.NoError(f, f.submit(batch[4])[0].Err, "what was cancelled, too")
}

func getUnknown(f *fixture) {
	f.one()
	_, err := f.store.Get(f.Context(), uuid.New())
	require.ErrorIs(f, err, executor.ErrNotFound)
}

func countsFollow(f *fixture) {
	var want executor.Counts
	check := func() {
		f.Helper()
		require.Equal(f, want, f.counts())
	}
	check()
	ids := f.accept(task(), task(), task(), task())
	want.Queued = 4
	check()
	for i, o := range []executor.Outcome{completed, {State: schema.Failed}, {State: schema.Cancelled}} {
		l := f.claim()
		want.Queued, want.Running = int64(3-i), 1
		check()
		f.finish(l, o)
		want.Running = 0
		*[]*int64{&want.Completed, &want.Failed, &want.Cancelled}[i]++
		check()
	}
	f.cancel(ids[3], executor.Cancellation{})
	want.Queued, want.Cancelled = 0, 2
	check()
}

package storetest

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var retentionContracts = []contract{
	{name: "by number", limits: Limits{Keep: 2}, test: retainNumber},
	{name: "of none", limits: Limits{Keep: -1}, test: retainNone},
	{name: "by age", limits: Limits{KeepFor: time.Hour}, test: retainAge},
	{name: "by age, to the millisecond", limits: Limits{KeepFor: time.Hour}, test: retainExactly, exact: true},
	{name: "by age, after a clock that ran ahead", limits: Limits{KeepFor: time.Hour}, test: retainAhead, exact: true},
	{name: "by bytes", limits: Limits{KeepBytes: 3000}, test: retainBytes},
	{name: "keeps what is not final", limits: Limits{Keep: -1, KeepFor: time.Hour, KeepBytes: 1}, test: retainLive},
	{name: "knows the id for longer", limits: Limits{Keep: -1}, test: retainID},
	{name: "knows so many ids", limits: Limits{Keep: -1, KeepIDs: 6}, test: retainIDs},
	{name: "knows no id", limits: Limits{Keep: -1, KeepIDs: -1}, test: retainNoID},
	{name: "knows the id of what has tasks below it", limits: Limits{Keep: -1, KeepIDs: -1}, test: retainAbove},
}

// kept reports which of the tasks are known, by all ways to ask.
func (f *fixture) kept(ids ...uuid.UUID) []bool {
	f.Helper()
	found := make([]bool, len(ids))
	listed := f.list(executor.Filter{}, executor.PageRequest{Limit: 1000})
	for i, id := range ids {
		_, err := f.store.Get(f.Context(), id)
		_, outErr := f.store.Output(f.Context(), id, schema.Stdout, tailAll)
		if found[i] = err == nil; found[i] {
			require.NoError(f, outErr)
			require.Contains(f, listed, id)
			continue
		}
		require.ErrorIs(f, err, executor.ErrNotFound)
		require.ErrorIs(f, outErr, executor.ErrNotFound)
		require.NotContains(f, listed, id)
		require.ErrorIs(f, f.cancel(id, executor.Cancellation{}).Err, executor.ErrNotFound)
	}
	return found
}

func retainNumber(f *fixture) {
	first, second := f.ran(), f.ran()
	require.Equal(f, []bool{true, true}, f.kept(first, second), "at the limit")
	third := f.ran()
	require.Equal(f, []bool{false, true, true}, f.kept(first, second, third), "past the limit")
	fourth := f.one()
	f.cancel(fourth, executor.Cancellation{})
	require.Equal(f, []bool{false, true, true}, f.kept(second, third, fourth))
	c := f.counts()
	require.Equal(f, [3]int64{1, 1, 2}, [3]int64{c.Completed, c.Cancelled, c.Evicted})
}

func retainNone(f *fixture) {
	w := f.watchAll()
	id := f.ran()
	require.Equal(f, []bool{false}, f.kept(id))
	events := f.drain(w)
	require.Equal(f, schema.Completed, events[len(events)-1].Task.State, "its watchers have it still")
	a := f.cancel(f.one(), executor.Cancellation{})
	require.Equal(f, schema.Cancelled, a.Task.State)
	require.Equal(f, executor.Counts{Evicted: 2}, f.counts())
}

// retainAge has two tasks that are each forgotten in time, and not before.
func retainAge(f *fixture) {
	first := f.ran()
	ended := []schema.Time{f.get(first).FinishedAt}
	f.pass(30 * time.Minute)
	ids := []uuid.UUID{first, f.ran()}
	if r, err := f.store.Get(f.Context(), ids[1]); err == nil { // it was not slower than the time that it is kept
		ended = append(ended, r.FinishedAt)
	}
	for i, id := range ids {
		f.pass(30 * time.Minute)
		f.until("the end of its time", func() bool { return !f.kept(id)[0] })
		if i < len(ended) {
			require.GreaterOrEqual(f, schema.Now(), ended[i]+schema.Time(f.of(time.Hour).Microseconds()))
		}
	}
	require.Equal(f, executor.Counts{Evicted: 2}, f.counts())
	require.Empty(f, f.list(executor.Filter{}, executor.PageRequest{Limit: 10}))
}

func retainExactly(f *fixture) {
	first := f.ran()
	time.Sleep(30 * time.Minute)
	second := f.ran()
	time.Sleep(30 * time.Minute)
	require.Equal(f, []bool{true, true}, f.kept(first, second), "at the limit")
	time.Sleep(time.Millisecond)
	require.Equal(f, []bool{false, true}, f.kept(first, second), "past the limit")
	time.Sleep(30 * time.Minute)
	require.Equal(f, executor.Counts{Evicted: 2}, f.counts())
	require.Empty(f, f.list(executor.Filter{}, executor.PageRequest{Limit: 10}))
}

// retainAhead has tasks that were submitted, and so ended, by a clock that was a year
// ahead and was set back then.
func retainAhead(f *fixture) {
	ahead := func(r *executor.Submission) { r.CreatedAt += schema.TimeOf(time.Unix(365*24*3600, 0)) }
	before, first, second := f.ran(), f.ran(ahead), f.ran(ahead)
	time.Sleep(time.Minute)
	after := f.ran()
	require.Equal(f, []bool{true, true, true, true}, f.kept(before, first, second, after))
	time.Sleep(time.Hour - time.Second)
	require.Equal(f, []bool{false, true, true, true}, f.kept(before, first, second, after))
	time.Sleep(time.Second + time.Millisecond)
	require.Equal(f, []bool{false, false, false, false}, f.kept(before, first, second, after), "they ended before the last, which is too old")
	late, last := f.ran(ahead), f.ran()
	require.Equal(f, []bool{true, true}, f.kept(late, last))
	time.Sleep(time.Hour + time.Millisecond)
	require.Equal(f, []bool{false, false}, f.kept(late, last))
}

// retainBytes leaves a wide margin, so that a store may count what it needs
// for itself.
func retainBytes(f *fixture) {
	great := withInput(`"` + strings.Repeat("x", 1000) + `"`)
	first, second := f.ran(great), f.ran(great)
	require.Equal(f, []bool{true, true}, f.kept(first, second))

	f.one()
	lease := f.claim()
	require.NoError(f, lease.Write(schema.Stdout, make([]byte, 1000)))
	f.finish(lease, executor.Outcome{State: schema.Completed, Result: []byte(`"` + strings.Repeat("y", 1000) + `"`)})
	third := lease.Record().ID
	require.Equal(f, []bool{false, false, true}, f.kept(first, second, third), "output and result count, too")

	greater := f.ran(withInput(`"` + strings.Repeat("x", 4000) + `"`))
	require.Equal(f, []bool{false, true}, f.kept(third, greater), "the newest is kept however large it is")
	require.Equal(f, int64(3), f.counts().Evicted)
}

func retainLive(f *fixture) {
	running, queued := f.one(withInput(`"a long input"`)), f.one(withInput(`"a long input"`))
	lease := f.claim()
	f.pass(2 * time.Hour)
	require.Equal(f, []bool{true, true}, f.kept(running, queued))
	f.finish(lease, completed)
	require.Equal(f, []bool{false, true}, f.kept(running, queued))
}

// runAgain submits tasks that are no longer kept, and reports which would run again.
func (f *fixture) runAgain(ids ...uuid.UUID) []bool {
	f.Helper()
	again := make([]bool, len(ids))
	for i, id := range ids {
		r := task()
		r.ID = id
		a := f.submit(r)[0]
		require.Nil(f, a.Task)
		require.False(f, a.Existing)
		if again[i] = a.Err == nil; !again[i] {
			require.ErrorIs(f, a.Err, executor.ErrTaskGone)
		}
	}
	return again
}

func retainID(f *fixture) {
	id := f.ran()
	require.Equal(f, []bool{false}, f.runAgain(id))
	other, fresh := task(ofType("other")), task()
	other.ID = id
	answers := f.submit(other, fresh, other)
	require.ErrorIs(f, answers[0].Err, executor.ErrTaskGone, "whether it is the same is not known")
	require.NoError(f, answers[1].Err, "the others have nothing to do with it")
	require.ErrorIs(f, answers[2].Err, executor.ErrTaskGone)
	require.Equal(f, []bool{false}, f.kept(id), "to ask for it is as to ask for one that never was")
	waiting := f.one()
	f.cancel(waiting, executor.Cancellation{})
	require.Equal(f, []bool{false}, f.runAgain(waiting), "one that was cancelled does not run either")
}

// retainIDs has a store remember a few ids: it may forget all but the newest half.
func retainIDs(f *fixture) {
	var gone []uuid.UUID
	for range 20 {
		gone = append(gone, f.ran())
		require.Equal(f, make([]bool, min(3, len(gone))), f.runAgain(gone[max(0, len(gone)-3):]...))
	}
	again := f.runAgain(gone...)
	require.NotContains(f, again[:14], false, "more than so many are not remembered")
	require.NotContains(f, again[17:], true)
}

func retainNoID(f *fixture) {
	id := f.ran()
	require.Equal(f, []bool{true}, f.runAgain(id))
	require.Equal(f, id, f.claim().Record().ID)
}

// retainAbove has an id that no store remembers by itself, and which must not become that of a task again while there
// is a task below it: that could be its parent.
func retainAbove(f *fixture) {
	top := f.one()
	l := f.claim()
	below := f.one(partOf(top))
	f.finish(l, completed)
	f.until("it is forgotten", func() bool { return !f.kept(top)[0] })
	for _, again := range []executor.Submission{task(withID(top)), task(withID(top), partOf(below))} {
		answers, err := f.store.DryRun(f.Context(), []executor.Submission{again})
		require.NoError(f, err)
		require.ErrorIs(f, answers[0].Err, executor.ErrTaskGone)
		require.ErrorIs(f, f.submit(again)[0].Err, executor.ErrTaskGone)
	}
	require.Equal(f, schema.OutcomeCancelled, f.cancel(below, executor.Cancellation{}).Outcome)
	f.until("it is forgotten", func() bool { return !f.kept(below)[0] })
	require.NoError(f, f.submit(task(withID(top)))[0].Err)
	f.finish(f.claims(top), completed)
}

package storetest

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var dedupeContracts = []contract{
	{name: "reuses a task until it has ended", test: dedupeReuse},
	{name: "refuses a duplicate until the task has ended", test: dedupeReject},
	{name: "counts a completed task within the window of a submit", test: dedupeWindow},
	{name: "counts a completed task only while it is kept", limits: Limits{Keep: -1}, test: dedupeForgotten},
	{name: "replaces a task that waits", test: dedupeReplaceQueued},
	{name: "replaces a task that runs, and waits for its end", test: dedupeReplaceRunning},
	{name: "runs the newest of a burst", test: dedupeBurst},
	{name: "tells an id that is known from a duplicate", test: dedupeKnown},
	{name: "replaces nothing by a submit that is refused", test: dedupeRefused},
	{name: "needs no place for a task that replaces one of a full queue", limits: Limits{MaxQueued: 2}, test: dedupeReplaceFull},
	{name: "lets one of many submits at once win", test: dedupeAtOnce},
	{name: "ends a task once that is replaced while it is to end otherwise", test: dedupeReplaceDoomed},
}

var restartDedupeContracts = []contract{
	{name: "keeps dedupe keys", exact: true, test: restartDedupe},
	{name: "goes on to replace", test: restartReplace},
}

// unique is a task of a dedupe key.
func unique(on schema.DedupeOn, options ...func(*executor.Submission)) executor.Submission {
	return task(append([]func(*executor.Submission){onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "lint", On: on}})}, options...)...)
}

// within sets the window of a task of a dedupe key.
func within(d time.Duration) func(*executor.Submission) {
	return func(s *executor.Submission) { s.Conditions.Dedupe.WindowMs = d.Milliseconds() }
}

// reuses holds that a submit is answered with another task.
func (f *fixture) reuses(s executor.Submission, id uuid.UUID, as schema.State) {
	f.Helper()
	a := f.submit(s)[0]
	require.NoError(f, a.Err)
	require.True(f, a.Existing)
	require.Equal(f, id, a.Task.ID)
	require.Equal(f, as, a.Task.State)
}

// isDuplicate holds that a submit is refused because of another task.
func (f *fixture) isDuplicate(a executor.Submitted, id uuid.UUID) {
	f.Helper()
	require.Equal(f, &executor.DuplicateError{Key: "lint", ID: id}, a.Err)
}

// accepted submits a task, which is new.
func (f *fixture) accepted(s executor.Submission) uuid.UUID {
	f.Helper()
	a := f.submit(s)[0]
	require.NoError(f, a.Err)
	require.False(f, a.Existing)
	return s.ID
}

// replacedBy holds that a task was cancelled because of another one.
func (f *fixture) replacedBy(old, by uuid.UUID) {
	f.Helper()
	f.until("it is cancelled", func() bool { return f.get(old).State == schema.Cancelled })
	require.Equal(f, "replaced by "+by.String(), f.get(old).CancelReason)
}

func dedupeReuse(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	other := unique("", ofType("other"), withInput(`{"a":1}`))
	f.reuses(other, id, schema.Queued)
	l := f.claims(id)
	f.reuses(other, id, schema.Running)
	f.finish(l, completed)
	f.accepted(other)
	require.Equal(f, int64(1), f.counts().Queued)
	_, err := f.store.Get(f.Context(), unique("").ID)
	require.ErrorIs(f, err, executor.ErrNotFound)
}

func dedupeReject(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	f.isDuplicate(f.submit(unique(schema.DedupeReject))[0], id)
	elsewhere := unique(schema.DedupeReject)
	elsewhere.Conditions = &schema.Conditions{Dedupe: &schema.Dedupe{Key: "other", On: schema.DedupeReject}}
	f.accepted(elsewhere)
	l := f.claims(id)
	f.isDuplicate(f.submit(unique(schema.DedupeReject))[0], id)
	f.finish(l, failure)
	f.accepted(unique(schema.DedupeReject, within(time.Hour))) // a failure is no result to keep
}

func dedupeWindow(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	f.finish(f.claims(id), completed)
	f.reuses(unique(schema.DedupeReuse, within(time.Hour)), id, schema.Completed)
	f.isDuplicate(f.submit(unique(schema.DedupeReject, within(time.Hour)))[0], id)
	time.Sleep(5 * time.Millisecond)
	next := f.accepted(unique(schema.DedupeReject, within(time.Millisecond)))
	f.finish(f.claims(next), failure)
	f.reuses(unique(schema.DedupeReuse, within(time.Hour)), id, schema.Completed)
}

func dedupeForgotten(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	f.finish(f.claims(id), completed)
	f.until("it is not kept", func() bool {
		_, err := f.store.Get(f.Context(), id)
		return errors.Is(err, executor.ErrNotFound)
	})
	f.accepted(unique(schema.DedupeReject, within(time.Hour)))
}

func dedupeReplaceQueued(f *fixture) {
	later := func(s *executor.Submission) { s.Conditions.RunAt = schema.Now() + 3_600_000_000 }
	first := f.accepted(unique(schema.DedupeReuse, later))
	second := f.accepted(unique(schema.DedupeReplace, later))
	f.replacedBy(first, second)
	third := f.accepted(unique(schema.DedupeReplace))
	f.replacedBy(second, third)
	f.finish(f.claims(third), completed)
	f.accepted(unique(schema.DedupeReject))
	require.Equal(f, schema.TaskCounts{Queued: 1, Completed: 1, Cancelled: 2}, f.counts().TaskCounts)
}

func dedupeReplaceRunning(f *fixture) {
	first := f.accepted(unique(schema.DedupeReplace))
	l := f.claims(first)
	revoked := make(chan error, 10)
	l.OnRevoke(func(cause error) { revoked <- cause })
	next := unique(schema.DedupeReplace)
	a := f.submit(next)[0]
	require.NoError(f, a.Err)
	require.Equal(f, []schema.Dependency{{ID: first, On: schema.OnFinish}}, a.Conditions.After)
	require.Equal(f, []uuid.UUID{first}, a.WaitingFor[0].IDs)
	require.Equal(f, &executor.Cancellation{Reason: "replaced by " + next.ID.String()}, <-revoked)
	f.waits(next.ID, schema.WaitsForDependency)
	newest := f.accepted(unique(schema.DedupeReplace))
	f.replacedBy(next.ID, newest)
	f.noClaim()
	require.Equal(f, []uuid.UUID{first}, f.waits(newest, schema.WaitsForDependency)[0].IDs)
	f.finish(l, (&executor.Cancellation{}).Outcome())
	f.finish(f.claims(newest), completed)
	require.Empty(f, revoked, "it is told once")
	f.replacedBy(first, next.ID)
}

func dedupeBurst(f *fixture) {
	burst := []executor.Submission{
		unique(schema.DedupeReplace), task(), unique(schema.DedupeReplace), unique(schema.DedupeReuse), unique(schema.DedupeReplace), unique(schema.DedupeReject),
	}
	answers := f.submit(burst...)
	for _, a := range answers[:5] {
		require.NoError(f, a.Err)
	}
	require.Equal(f, burst[2].ID, answers[3].Task.ID)
	f.isDuplicate(answers[5], burst[4].ID)
	f.replacedBy(burst[0].ID, burst[2].ID)
	f.replacedBy(burst[2].ID, burst[4].ID)
	f.finish(f.claims(burst[1].ID), completed)
	f.finish(f.claims(burst[4].ID), completed)
	require.Equal(f, schema.TaskCounts{Completed: 2, Cancelled: 2}, f.counts().TaskCounts)
}

func dedupeKnown(f *fixture) {
	for _, on := range schema.DedupeOns {
		s := unique(on)
		f.accepted(s)
		f.reuses(s, s.ID, schema.Queued)
		other := s
		other.Type = "other"
		require.ErrorIs(f, f.submit(other)[0].Err, executor.ErrIDConflict)
		f.finish(f.claims(s.ID), completed)
		f.reuses(s, s.ID, schema.Completed)
	}
}

func dedupeRefused(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	refused := unique(schema.DedupeReplace)
	refused.Conditions.After = []schema.Dependency{{ID: uuid.New()}}
	require.ErrorContains(f, f.submit(refused)[0].Err, "is not known")
	f.finish(f.claims(id), completed)
}

// dedupeReplaceFull replaces tasks of a full queue: one by one, and in a burst. A task that runs has
// no place there that its successor could have.
func dedupeReplaceFull(f *fixture) {
	first := f.accepted(unique(schema.DedupeReplace))
	f.accept(task())
	second := f.accepted(unique(schema.DedupeReplace))
	f.replacedBy(first, second)
	burst := []executor.Submission{unique(schema.DedupeReplace), task(), unique(schema.DedupeReplace)}
	answers := f.submit(burst...)
	require.NoError(f, answers[0].Err)
	require.ErrorIs(f, answers[1].Err, executor.ErrQueueFull)
	require.NoError(f, answers[2].Err)
	f.replacedBy(burst[0].ID, burst[2].ID)
	f.until("they are cancelled", func() bool { return f.counts().TaskCounts == schema.TaskCounts{Queued: 2, Cancelled: 3} })
	require.Equal(f, int64(3), f.counts().Replaced)
	require.ErrorIs(f, f.submit(task())[0].Err, executor.ErrQueueFull)

	f.cancel(burst[2].ID, executor.Cancellation{})
	f.finish(f.claim(), completed)
	f.claims(f.accepted(unique(schema.DedupeReplace)))
	f.accept(task(), task())
	require.ErrorIs(f, f.submit(unique(schema.DedupeReplace))[0].Err, executor.ErrQueueFull)
}

func dedupeAtOnce(f *fixture) {
	const many = 8
	answers := make(chan executor.Submitted, many)
	for range many {
		go func() { answers <- f.submit(unique(schema.DedupeReject))[0] }()
	}
	won := 0
	for range many {
		if a := <-answers; a.Err == nil {
			won++
		}
	}
	require.Equal(f, 1, won)
	require.Equal(f, int64(1), f.counts().Queued)
}

// dedupeReplaceDoomed replaces a task that can never run, before the store has ended it because of
// that.
func dedupeReplaceDoomed(f *fixture) {
	before := f.ran()
	doomed, next := unique(schema.DedupeReuse), unique(schema.DedupeReplace)
	doomed.Conditions.After = []schema.Dependency{{ID: before, On: schema.OnFailure}}
	for _, a := range f.submit(doomed, next) {
		require.NoError(f, a.Err)
	}
	f.finish(f.claims(next.ID), completed)
	require.True(f, f.get(doomed.ID).State.Final())
	c := f.counts().TaskCounts
	require.Equal(f, [...]int64{0, 0, 2, 1}, [...]int64{c.Queued, c.Running, c.Completed, c.Failed + c.Cancelled})
}

func restartDedupe(f *fixture) {
	id := f.accepted(unique(schema.DedupeReuse))
	f.restart()
	f.reuses(unique(schema.DedupeReuse), id, schema.Queued)
	f.finish(f.claims(id), completed)
	f.restart()
	f.reuses(unique(schema.DedupeReuse, within(f.of(2*time.Hour))), id, schema.Completed)
	f.isDuplicate(f.submit(unique(schema.DedupeReject, within(f.of(2*time.Hour))))[0], id)
	f.pass(3 * time.Hour)
	f.accepted(unique(schema.DedupeReject, within(f.of(2*time.Hour))))
}

// restartReplace has a task that runs again, though it was to be replaced.
func restartReplace(f *fixture) {
	first := f.accepted(unique(schema.DedupeReuse, withRerun(true)))
	f.claims(first)
	next := f.accepted(unique(schema.DedupeReplace))
	f.restart()
	f.replacedBy(first, next)
	f.finish(f.claims(next), completed)
	f.restart()
	f.noClaim()
	require.Equal(f, schema.TaskCounts{Completed: 1, Cancelled: 1}, f.counts().TaskCounts)
}

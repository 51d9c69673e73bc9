package storetest

import (
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

var dryRunContracts = []contract{
	{name: "answers what a task would wait for, and records nothing", test: dryRunWaits},
	{name: "answers how a task would end at once", test: dryRunEnds},
	{name: "answers with the task that is there", test: dryRunExisting},
	{name: "knows the tasks of the other submits", test: dryRunGraph},
	{name: "finds duplicates among the submits", test: dryRunTwins},
	{name: "is made before all or none are recorded", limits: Limits{MaxQueued: 3}, test: submitAllOrNone},
	{name: "is refused as the submit would be", limits: Limits{MaxQueued: 3}, test: dryRunRefused},
}

// dryRun answers what a submit would, which is not refused.
func (f *fixture) dryRun(set ...func(*executor.Submission)) executor.Submitted {
	f.Helper()
	asked := task(set...)
	before := f.counts()
	answer := f.tried(asked)[0]
	require.NoError(f, answer.Err)
	require.Equal(f, before, f.counts())
	if !answer.Existing {
		require.Equal(f, asked.ID, answer.Task.ID)
		_, err := f.store.Get(f.Context(), asked.ID)
		require.ErrorIs(f, err, executor.ErrNotFound)
	}
	return answer
}

// tried answers what submits would.
func (f *fixture) tried(asked ...executor.Submission) []executor.Submitted {
	f.Helper()
	answers, err := f.store.DryRun(f.Context(), asked)
	require.NoError(f, err)
	require.Len(f, answers, len(asked))
	return answers
}

func withID(id uuid.UUID) func(*executor.Submission) {
	return func(r *executor.Submission) { r.ID = id }
}

func dryRunWaits(f *fixture) {
	require.NoError(f, f.store.SetGroup(f.Context(), "held", plan.Settings{Paused: true}))
	require.Nil(f, f.dryRun().Task.WaitingFor)
	key, first := onlyIf(schema.Conditions{Key: "k"}), uuid.UUID{}
	require.Nil(f, f.dryRun(key).Task.WaitingFor)
	first = f.one(key)
	for range 2 { // the first has changed nothing
		at := in(f.of(time.Hour))
		for want, c := range map[schema.WaitingKind]schema.Conditions{
			schema.WaitsForKey:        {Key: "k"},
			schema.WaitsForTime:       {RunAt: at, Key: "k"},
			schema.WaitsForResume:     {Group: "held"},
			schema.WaitsForDependency: {After: []schema.Dependency{{ID: first}}},
		} {
			answer := f.dryRun(onlyIf(c), withPriority(9))
			require.False(f, answer.Existing)
			require.Equal(f, schema.Queued, answer.Task.State)
			require.Equal(f, &c, answer.Task.Conditions)
			require.Len(f, answer.Task.WaitingFor, 1)
			require.Equal(f, want, answer.Task.WaitingFor[0].Kind)
		}
	}
	f.runs(first)
	require.Nil(f, f.dryRun(after(schema.OnSuccess, first)).Task.WaitingFor)
	f.pass(2 * time.Hour)
	f.noClaim()
}

func dryRunEnds(f *fixture) {
	id := f.one()
	f.finish(f.claims(id), failure)
	answer := f.dryRun(after(schema.OnSuccess, id))
	require.Equal(f, schema.Failed, answer.Task.State)
	require.Equal(f, schema.KindDependency, answer.Task.Error.Kind)
	require.Nil(f, f.dryRun(after(schema.OnFailure, id)).Task.WaitingFor)
	answer = f.dryRun(onlyIf(schema.Conditions{ExpiresAt: in(-f.of(time.Hour))}))
	require.Equal(f, schema.KindExpired, answer.Task.Error.Kind)
	require.Equal(f, schema.TaskCounts{Failed: 1}, f.counts().TaskCounts)
}

func dryRunExisting(f *fixture) {
	by := func(on schema.DedupeOn) func(*executor.Submission) {
		return onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d", On: on}})
	}
	id := f.one(by(schema.DedupeReuse))
	answer := f.dryRun(by(schema.DedupeReuse))
	require.True(f, answer.Existing)
	require.Equal(f, id, answer.Task.ID)
	answer = f.dryRun(withID(id))
	require.True(f, answer.Existing)
	require.Equal(f, id, answer.Task.ID)
	answer = f.dryRun(by(schema.DedupeReplace))
	require.Equal(f, schema.WaitsForDependency, answer.Task.WaitingFor[0].Kind)
	require.Equal(f, []schema.Dependency{{ID: id, On: schema.OnFinish}}, answer.Task.Conditions.After)
	f.runs(id) // it was not replaced
}

func dryRunRefused(f *fixture) {
	refused := func(target any, set ...func(*executor.Submission)) {
		f.Helper()
		require.ErrorAs(f, f.tried(task(set...))[0].Err, target)
	}
	refused(new(*executor.InputError), after(schema.OnSuccess, uuid.New()))
	refused(new(*executor.InputError), partOf(uuid.New()))
	id := f.one(onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d"}}))
	refused(new(*executor.DuplicateError), onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d", On: schema.DedupeReject}}))
	require.ErrorIs(f, f.tried(task(withID(id), ofType("other")))[0].Err, executor.ErrIDConflict)
	f.accept(numbered(2)...)
	require.ErrorIs(f, f.tried(task())[0].Err, executor.ErrQueueFull)
}

// dryRunGraph has tasks that name each other.
func dryRunGraph(f *fixture) {
	failed, other := f.one(), f.one()
	f.finish(f.claims(failed), failure)
	root := task(after(schema.OnSuccess, other))
	below, part := task(after(schema.OnSuccess, root.ID)), task(partOf(root.ID))
	lost, unknown := task(after(schema.OnSuccess, failed)), uuid.New()
	behind := task(after(schema.OnSuccess, lost.ID))
	before := f.counts()
	answers := f.tried(root, below, part, lost, behind, root, task(withID(below.ID), ofType("other")), task(after(schema.OnSuccess, unknown)), task(partOf(failed)))
	require.Equal(f, before, f.counts())
	require.Equal(f, []uuid.UUID{other}, answers[0].Task.WaitingFor[0].IDs)
	require.Equal(f, []uuid.UUID{root.ID}, answers[1].Task.WaitingFor[0].IDs)
	require.Equal(f, root.ID, answers[2].Task.Conditions.Parent)
	require.Nil(f, answers[2].Task.WaitingFor)
	for i, cause := range map[int]uuid.UUID{3: failed, 4: lost.ID} {
		require.Equal(f, schema.Failed, answers[i].Task.State)
		require.Equal(f, cause, answers[i].Task.Error.Cause)
	}
	require.True(f, answers[5].Existing)
	require.Equal(f, root.ID, answers[5].Task.ID)
	require.ErrorIs(f, answers[6].Err, executor.ErrIDConflict)
	require.ErrorContains(f, answers[7].Err, unknown.String())
	require.ErrorContains(f, answers[8].Err, "has ended")
	f.runs(other) // the planner has none of them
	f.noClaim()
	f.finish(f.claims(f.accept(root, below)[0]), completed)
	f.runs(below.ID)
}

// dryRunTwins has duplicates among the tasks.
func dryRunTwins(f *fixture) {
	by := func(on schema.DedupeOn) executor.Submission {
		return task(onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d", On: on}}))
	}
	first, next := by(schema.DedupeReuse), by(schema.DedupeReplace)
	answers := f.tried(first, by(schema.DedupeReuse), by(schema.DedupeReject), next)
	require.Equal(f, first.ID, answers[1].Task.ID)
	require.True(f, answers[1].Existing)
	require.ErrorAs(f, answers[2].Err, new(*executor.DuplicateError))
	require.Equal(f, []schema.Dependency{{ID: first.ID, On: schema.OnFinish}}, answers[3].Task.Conditions.After)
	require.Zero(f, f.counts().Queued)
}

// submitAllOrNone has submits of which one is refused.
func submitAllOrNone(f *fixture) {
	parent := f.one()
	pl := f.claims(parent)
	ok := task()
	for says, bad := range map[string]executor.Submission{
		"is not known":             task(after(schema.OnSuccess, uuid.New())),
		"another task has this id": task(withID(parent), ofType("other")),
		"is not known; submit it":  task(partOf(uuid.New())),
	} {
		answers, err := f.store.SubmitAll(f.Context(), []executor.Submission{ok, bad})
		require.NoError(f, err)
		require.NoError(f, answers[0].Err)
		require.ErrorContains(f, answers[1].Err, says)
		_, err = f.store.Get(f.Context(), ok.ID)
		require.ErrorIs(f, err, executor.ErrNotFound)
	}
	all := []executor.Submission{ok, task(after(schema.OnSuccess, ok.ID)), task(partOf(parent))}
	answers, err := f.store.SubmitAll(f.Context(), append(all, task()))
	require.NoError(f, err)
	require.ErrorIs(f, answers[3].Err, executor.ErrQueueFull)
	require.Zero(f, f.counts().Queued)
	for existing := range 2 {
		answers, err = f.store.SubmitAll(f.Context(), all)
		require.NoError(f, err)
		for i := range answers {
			require.NoError(f, answers[i].Err)
			require.Equal(f, existing == 1, answers[i].Existing)
		}
	}
	require.Equal(f, int64(3), f.counts().Queued)
	f.finish(f.claims(ok.ID), completed)
	f.finish(pl, completed)
}

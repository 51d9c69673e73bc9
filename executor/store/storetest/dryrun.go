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
	{name: "is refused as the submit would be", limits: Limits{MaxQueued: 3}, test: dryRunRefused},
}

// dryRun answers what a submit would, which is not refused.
func (f *fixture) dryRun(set ...func(*executor.Submission)) executor.Submitted {
	f.Helper()
	asked := task(set...)
	before := f.counts()
	answer, err := f.store.DryRun(f.Context(), asked)
	require.NoError(f, err)
	require.NoError(f, answer.Err)
	require.Equal(f, before, f.counts())
	if !answer.Existing {
		require.Equal(f, asked.ID, answer.Task.ID)
		_, err := f.store.Get(f.Context(), asked.ID)
		require.ErrorIs(f, err, executor.ErrNotFound)
	}
	return answer
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
		answer, err := f.store.DryRun(f.Context(), task(set...))
		require.NoError(f, err)
		require.ErrorAs(f, answer.Err, target)
	}
	refused(new(*executor.InputError), after(schema.OnSuccess, uuid.New()))
	refused(new(*executor.InputError), partOf(uuid.New()))
	id := f.one(onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d"}}))
	refused(new(*executor.DuplicateError), onlyIf(schema.Conditions{Dedupe: &schema.Dedupe{Key: "d", On: schema.DedupeReject}}))
	answer, err := f.store.DryRun(f.Context(), task(withID(id), ofType("other")))
	require.NoError(f, err)
	require.ErrorIs(f, answer.Err, executor.ErrIDConflict)
	f.accept(numbered(2)...)
	answer, err = f.store.DryRun(f.Context(), task())
	require.NoError(f, err)
	require.ErrorIs(f, answer.Err, executor.ErrQueueFull)
}

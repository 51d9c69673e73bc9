package storetest

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

var conditionContracts = []contract{
	{name: "wait for a time", test: conditionTime},
	{name: "let a task expire", test: conditionExpiry},
	{name: "let no task run that has expired", test: conditionExpired},
	{name: "wait for the end of other tasks", test: conditionAfter},
	{name: "end what comes after a failure", test: conditionFailure},
	{name: "refuse what is not known", test: conditionUnknown},
	{name: "are of a final task as they must", test: conditionFinal},
	{name: "let one task of a key run", test: conditionKey},
	{name: "hold a group to its limit", test: conditionGroup},
	{name: "hold a group to its rate", test: conditionRate},
	{name: "run by priority beside the others", test: conditionPriority},
	{name: "can be paused", test: conditionPause},
	{name: "end with a cancel", test: conditionCancel},
	{name: "are shown", test: conditionShown},
}

func onlyIf(c schema.Conditions) func(*executor.Submission) {
	return func(s *executor.Submission) { s.Conditions = &c }
}

func after(on schema.On, ids ...uuid.UUID) func(*executor.Submission) {
	var all []schema.Dependency
	for _, id := range ids {
		all = append(all, schema.Dependency{ID: id, On: on})
	}
	return onlyIf(schema.Conditions{After: all})
}

// noClaim holds that no task may run.
func (f *fixture) noClaim() {
	f.Helper()
	ctx, end := context.WithTimeout(f.Context(), brief)
	defer end()
	l, err := f.claimers.claim(ctx, f.store, nil)
	if err == nil {
		require.Fail(f, "a task runs that must wait", "%v", l.Record().ID)
	}
	require.ErrorIs(f, err, context.DeadlineExceeded)
}

// brief is how long a claim waits for a task that must not run.
const brief = 20 * time.Millisecond

// claims holds which task runs next.
func (f *fixture) claims(id uuid.UUID) executor.Lease {
	f.Helper()
	l := f.claim()
	require.Equal(f, id, l.Record().ID)
	return l
}

// waits holds what a task waits for.
func (f *fixture) waits(id uuid.UUID, kinds ...schema.WaitingKind) []schema.Waiting {
	f.Helper()
	task := f.get(id).Task
	require.Equal(f, schema.Queued, task.State)
	var found []schema.WaitingKind
	for _, w := range task.WaitingFor {
		found = append(found, w.Kind)
		require.NotEmpty(f, w.Message)
	}
	require.Equal(f, kinds, found)
	return task.WaitingFor
}

// endedWith holds how a task has ended without having run.
func (f *fixture) endedWith(id uuid.UUID, kind schema.ErrorKind, says string) {
	f.Helper()
	f.until("the end", func() bool { return f.get(id).State.Final() })
	task := f.get(id).Task
	require.Equal(f, schema.Failed, task.State)
	require.Equal(f, kind, task.Error.Kind)
	require.Contains(f, task.Error.Message, says)
	if kind == schema.KindDependency {
		require.Contains(f, task.Error.Message, task.Error.Cause.String())
	} else {
		require.Zero(f, task.Error.Cause)
	}
	require.Zero(f, task.Attempt)
	require.Zero(f, task.StartedAt)
}

func conditionTime(f *fixture) {
	at := schema.Now() + schema.Time(f.clock.ahead().Microseconds())
	late := f.one(onlyIf(schema.Conditions{RunAt: at}))
	next := f.one()
	f.finish(f.claims(next), completed)
	f.waits(late, schema.WaitsForTime)
	l := f.claims(late)
	require.GreaterOrEqual(f, schema.Now(), at)
	f.finish(l, completed)
}

func conditionExpiry(f *fixture) {
	w := f.watchAll()
	at := schema.Now() + schema.Time((100 * time.Millisecond).Microseconds())
	id := f.one(onlyIf(schema.Conditions{ExpiresAt: at, RunAt: at + 1_000_000}))
	next := f.one(after(schema.OnSuccess, id))
	f.endedWith(id, schema.KindExpired, "had not started")
	require.GreaterOrEqual(f, f.get(id).FinishedAt, at)
	f.endedWith(next, schema.KindDependency, id.String())
	require.Equal(f, kindsOf(executor.EventFinished, executor.EventFinished), kinds(f.drain(w)))
	require.Equal(f, int64(2), f.counts().Unrun)
	require.Equal(f, int64(2), f.counts().Failed)
	require.Zero(f, f.counts().Queued)
}

func conditionAfter(f *fixture) {
	first, second := f.one(), f.one()
	last := f.one(after(schema.OnSuccess, first, second))
	cleans := f.one(after(schema.OnFinish, first))
	repairs := f.one(after(schema.OnFailure, second))
	require.Equal(f, []uuid.UUID{first, second}, f.waits(last, schema.WaitsForDependency)[0].IDs)
	one, two := f.claims(first), f.claims(second)
	f.noClaim()
	f.finish(one, completed)
	f.finish(f.claims(cleans), completed)
	require.Equal(f, []uuid.UUID{second}, f.waits(last, schema.WaitsForDependency)[0].IDs)
	f.finish(two, completed)
	f.endedWith(repairs, schema.KindDependency, "has not failed")
	f.finish(f.claims(last), completed)
}

func conditionFailure(f *fixture) {
	root := f.one()
	chain := []uuid.UUID{f.one(after(schema.OnSuccess, root))}
	for range 10 {
		chain = append(chain, f.one(after(schema.OnSuccess, chain[len(chain)-1])))
	}
	goesOn := f.one(after(schema.OnFinish, chain[3]))
	f.finish(f.claims(root), executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}})
	cause := root
	for _, id := range chain {
		f.endedWith(id, schema.KindDependency, cause.String())
		cause = id
	}
	f.finish(f.claims(goesOn), completed)
}

// conditionExpired: a task that has expired does not run, though nobody has told the store that its time has come.
func conditionExpired(f *fixture) {
	past := onlyIf(schema.Conditions{ExpiresAt: schema.Now() - 1_000_000})
	expired := []uuid.UUID{f.one(past), f.one(past)}
	behind := f.one(after(schema.OnFinish, expired[1]))
	f.finish(f.claims(behind), completed)
	for _, id := range expired {
		f.endedWith(id, schema.KindExpired, "it had not started")
	}
}

func conditionUnknown(f *fixture) {
	missing := uuid.New()
	answers, err := f.store.Submit(f.Context(), []executor.Submission{task(after(schema.OnFinish, missing)), task()})
	require.NoError(f, err)
	require.ErrorContains(f, answers[0].Err, "/after/0: "+missing.String()+" is not known")
	require.NoError(f, answers[1].Err)
	require.Equal(f, int64(1), f.counts().Queued)
}

func conditionFinal(f *fixture) {
	done := f.ran()
	f.finish(f.claims(f.one(after(schema.OnSuccess, done))), completed)
	f.endedWith(f.one(after(schema.OnFailure, done)), schema.KindDependency, "has not failed")
}

func conditionKey(f *fixture) {
	key := onlyIf(schema.Conditions{Key: "deploy"})
	first, second, third := f.one(key), f.one(key), f.one(key)
	l := f.claims(first)
	f.noClaim()
	require.Equal(f, []uuid.UUID{first}, f.waits(second, schema.WaitsForKey)[0].IDs)
	f.finish(l, completed)
	l = f.claims(second)
	f.noClaim()
	f.finish(l, completed)
	f.finish(f.claims(third), completed)
}

func conditionGroup(f *fixture) {
	require.NoError(f, f.store.SetGroup(f.Context(), "deploys", plan.Settings{Limit: 2}))
	in := onlyIf(schema.Conditions{Group: "deploys"})
	var ids []uuid.UUID
	for range 4 {
		ids = append(ids, f.one(in))
	}
	other := f.one(onlyIf(schema.Conditions{Group: "others"}))
	one, two := f.claims(ids[0]), f.claims(ids[1])
	f.waits(ids[2], schema.WaitsForGroup)
	f.finish(f.claims(other), completed)
	f.noClaim()
	f.finish(two, completed)
	two = f.claims(ids[2])
	require.NoError(f, f.store.SetGroup(f.Context(), "deploys", plan.Settings{Limit: 3}))
	last := f.claims(ids[3])
	all, err := f.store.Groups(f.Context())
	require.NoError(f, err)
	require.Equal(f, []plan.Group{{Name: "deploys", Settings: plan.Settings{Limit: 3}, Running: 3}}, all.Groups)
	for _, l := range []executor.Lease{one, two, last} {
		f.finish(l, completed)
	}
}

func conditionRate(f *fixture) {
	rate := plan.Settings{Rate: plan.Rate{Count: 2, Per: time.Hour}}
	require.NoError(f, f.store.SetGroup(f.Context(), "mails", rate))
	in := onlyIf(schema.Conditions{Group: "mails"})
	ids := []uuid.UUID{f.one(in), f.one(in), f.one(in)}
	for _, id := range ids[:2] {
		f.finish(f.claims(id), completed)
	}
	f.waits(ids[2], schema.WaitsForRate)
	f.noClaim()
	mails := func() plan.Group {
		all, err := f.store.Groups(f.Context())
		require.NoError(f, err)
		require.Len(f, all.Groups, 1)
		return all.Groups[0]
	}
	f.until("the release of both", func() bool { return mails().Running == 0 })
	require.Equal(f, plan.Group{Name: "mails", Settings: rate, Ready: 1}, mails())
	require.NoError(f, f.store.SetGroup(f.Context(), "mails", plan.Settings{}))
	f.finish(f.claims(ids[2]), completed)
}

func conditionPriority(f *fixture) {
	priority := func(n int8) func(*executor.Submission) {
		return func(s *executor.Submission) { s.Priority = n }
	}
	in := onlyIf(schema.Conditions{Group: "any"})
	first, second := f.one(), f.one(in)
	high, highest := f.one(priority(1)), f.one(in, priority(2))
	third := f.one()
	for _, id := range []uuid.UUID{highest, high, first, second, third} {
		f.finish(f.claims(id), completed)
	}
}

func conditionPause(f *fixture) {
	require.NoError(f, f.store.Pause(f.Context(), true))
	plain, grouped := f.one(), f.one(onlyIf(schema.Conditions{Group: "any"}))
	f.noClaim()
	f.waits(grouped, schema.WaitsForResume)
	require.NoError(f, f.store.SetGroup(f.Context(), "any", plan.Settings{Paused: true}))
	require.NoError(f, f.store.Pause(f.Context(), false))
	f.finish(f.claims(plain), completed)
	f.noClaim()
	require.Equal(f, "any", f.waits(grouped, schema.WaitsForResume)[0].Name)
	require.NoError(f, f.store.SetGroup(f.Context(), "any", plan.Settings{}))
	f.finish(f.claims(grouped), completed)
}

func conditionCancel(f *fixture) {
	key := onlyIf(schema.Conditions{Key: "deploy"})
	first, second := f.one(key), f.one(key)
	next := f.one(after(schema.OnFailure, first))
	_, err := f.store.Cancel(f.Context(), []uuid.UUID{first}, executor.Cancellation{})
	require.NoError(f, err)
	require.Equal(f, schema.Cancelled, f.get(first).State)
	f.finish(f.claims(second), completed)
	f.finish(f.claims(next), completed)
	require.Zero(f, f.counts().Queued)
}

func conditionShown(f *fixture) {
	c := schema.Conditions{Group: "g", Key: "k", After: []schema.Dependency{{ID: f.ran(), On: schema.OnFinish}}}
	id := f.one(onlyIf(c))
	require.Equal(f, &c, f.get(id).Conditions)
	f.finish(f.claims(id), completed)
	require.Equal(f, &c, f.get(id).Conditions)
	page, err := f.store.List(f.Context(), executor.Filter{}, executor.PageRequest{Limit: 10})
	require.NoError(f, err)
	require.Equal(f, &c, page.Tasks[0].Conditions)
	require.Nil(f, page.Tasks[0].WaitingFor)
}

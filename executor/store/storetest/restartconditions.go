package storetest

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// restartConditionContracts are those of tasks with conditions in a store that is opened again.
var restartConditionContracts = []contract{
	{name: "keeps times", test: restartTimes},
	{name: "keeps a graph that is half finished", test: restartGraph},
	{name: "ends what comes after what was interrupted", test: restartInterruptedGraph},
	{name: "keeps the turns of a key", test: restartKey},
	{name: "keeps groups and pauses", test: restartGroups},
	{name: "keeps what has begun within the rate of a group", exact: true, test: restartRate},
	{name: "keeps graphs of which it forgets what has ended", limits: Limits{Keep: -1}, test: restartForgotten},
	{name: "keeps conditions as they were", test: restartConditions},
}

var failure = executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}}

// in is a time from now.
func in(d time.Duration) schema.Time { return schema.Now() + schema.Time(d.Microseconds()) }

func restartTimes(f *fixture) {
	late := f.one(onlyIf(schema.Conditions{RunAt: in(f.of(2 * time.Hour))}))
	expires := f.one(onlyIf(schema.Conditions{RunAt: in(f.of(3 * time.Hour)), ExpiresAt: in(f.of(4 * time.Hour))}))
	next := f.one(after(schema.OnSuccess, expires))
	f.restart()
	f.waits(late, schema.WaitsForTime)
	f.waits(next, schema.WaitsForDependency)
	f.noClaim()
	require.NoError(f, f.store.Pause(f.Context(), true))
	f.pass(5 * time.Hour) // the second time comes while nobody may run it
	f.endedWith(expires, schema.KindExpired, "had not started")
	f.endedWith(next, schema.KindDependency, expires.String())
	expires = f.one(onlyIf(schema.Conditions{ExpiresAt: in(f.of(time.Hour))}))
	f.restart()
	f.pass(2 * time.Hour)
	f.endedWith(expires, schema.KindExpired, "had not started")
	require.NoError(f, f.store.Pause(f.Context(), false))
	f.finish(f.claims(late), completed)
	f.restart()
	require.Equal(f, schema.TaskCounts{Completed: 1, Failed: 3}, f.counts().TaskCounts)
	require.Zero(f, f.counts().Unrun, "of this opening")
	f.noClaim()
}

// restartGraph opens the store again after each task of a graph.
func restartGraph(f *fixture) {
	root, other := f.one(), f.one()
	left, right := f.one(after(schema.OnSuccess, root)), f.one(after(schema.OnSuccess, root, other))
	join := f.one(after(schema.OnSuccess, left, right))
	cleans, repairs := f.one(after(schema.OnFinish, join)), f.one(after(schema.OnFailure, join))
	f.restart()
	f.finish(f.claims(root), completed)
	f.restart()
	require.Equal(f, []uuid.UUID{other}, f.waits(right, schema.WaitsForDependency)[0].IDs)
	f.finish(f.claims(other), completed)
	f.restart()
	f.finish(f.claims(left), completed)
	f.finish(f.claims(right), failure)
	f.endedWith(join, schema.KindDependency, right.String())
	f.restart()
	f.finish(f.claims(cleans), completed)
	f.restart()
	f.finish(f.claims(repairs), completed)
	f.restart()
	f.noClaim()
	require.Equal(f, schema.TaskCounts{Completed: 5, Failed: 2}, f.counts().TaskCounts)
}

func restartInterruptedGraph(f *fixture) {
	first, again := f.one(), f.one(withRerun(true))
	next, repairs := f.one(after(schema.OnSuccess, first)), f.one(after(schema.OnFailure, first))
	last, waits := f.one(after(schema.OnFinish, next)), f.one(after(schema.OnSuccess, again))
	f.claims(first)
	f.claims(again)
	f.restart()
	f.endedWith(next, schema.KindDependency, first.String())
	f.waits(waits, schema.WaitsForDependency)
	for _, id := range []uuid.UUID{again, repairs, last, waits} {
		f.finish(f.claims(id), completed)
	}
	require.Equal(f, schema.TaskCounts{Completed: 4, Failed: 2}, f.counts().TaskCounts)
}

// restartKey has a task of a key that runs again, and has the key before the others.
func restartKey(f *fixture) {
	key := onlyIf(schema.Conditions{Key: "deploy", ExpiresAt: in(f.of(time.Hour))})
	first := f.one(key, withRerun(true))
	second, urgent := f.one(onlyIf(schema.Conditions{Key: "deploy"})), f.one(onlyIf(schema.Conditions{Key: "deploy"}), withPriority(9))
	f.claims(first)
	f.restart()
	f.pass(2 * time.Hour)
	l := f.claims(first) // it had begun before it expired
	require.Equal(f, []uuid.UUID{first}, f.waits(second, schema.WaitsForKey)[0].IDs)
	f.noClaim()
	f.finish(l, completed)
	f.restart()
	f.finish(f.claims(second), completed)
	f.finish(f.claims(urgent), completed)
}

func restartRate(f *fixture) {
	require.NoError(f, f.store.SetGroup(f.Context(), "mail", plan.Settings{Rate: plan.Rate{Count: 2, Per: f.of(2 * time.Hour)}}))
	mail := onlyIf(schema.Conditions{Group: "mail"})
	f.finish(f.claims(f.one(mail)), completed)
	f.pass(time.Hour)
	f.claims(f.one(mail)) // it is interrupted
	third, fourth := f.one(mail), f.one(mail)
	f.restart()
	f.waits(third, schema.WaitsForRate)
	f.noClaim()
	f.pass(time.Hour)
	f.finish(f.claims(third), completed)
	f.noClaim()
	f.pass(time.Hour)
	f.finish(f.claims(fourth), completed)
}

func restartGroups(f *fixture) {
	settings := plan.Settings{Limit: 1, Rate: plan.Rate{Count: 100, Per: time.Hour}, Defaults: `{"key":"ä"}`}
	require.NoError(f, f.store.SetGroup(f.Context(), "deploys", settings))
	require.NoError(f, f.store.SetGroup(f.Context(), "imports", plan.Settings{Paused: true}))
	require.NoError(f, f.store.SetGroup(f.Context(), "gone", plan.Settings{Limit: 4}))
	require.NoError(f, f.store.SetGroup(f.Context(), "gone", plan.Settings{}))
	first, second := f.one(onlyIf(schema.Conditions{Group: "deploys"}), withRerun(true)), f.one(onlyIf(schema.Conditions{Group: "deploys"}))
	paused, plain := f.one(onlyIf(schema.Conditions{Group: "imports"})), f.one()
	f.claims(first)
	require.NoError(f, f.store.Pause(f.Context(), true))
	f.restart()
	f.noClaim()
	overview, err := f.store.Groups(f.Context())
	require.NoError(f, err)
	require.True(f, overview.Paused)
	require.Equal(f, []plan.Group{{Name: "deploys", Settings: settings, Ready: 2}, {Name: "imports", Settings: plan.Settings{Paused: true}, Ready: 1}}, overview.Groups)
	require.NoError(f, f.store.Pause(f.Context(), false))
	f.restart()
	l := f.claims(first)
	f.waits(second, schema.WaitsForGroup)
	f.finish(f.claims(plain), completed)
	f.noClaim()
	f.finish(l, completed)
	f.finish(f.claims(second), completed)
	f.waits(paused, schema.WaitsForResume)
	require.NoError(f, f.store.SetGroup(f.Context(), "imports", plan.Settings{}))
	f.restart()
	f.finish(f.claims(paused), completed)
}

// restartForgotten has no finished task when a task comes to run that comes after some.
func restartForgotten(f *fixture) {
	first, second := f.one(), f.one()
	last := f.one(after(schema.OnSuccess, first, second))
	cleans, repairs := f.one(after(schema.OnFinish, first)), f.one(after(schema.OnFailure, first))
	never := f.one(after(schema.OnSuccess, repairs))
	f.finish(f.claims(first), completed)
	f.restart()
	gone := func(id uuid.UUID) bool {
		_, err := f.store.Get(f.Context(), id)
		return errors.Is(err, executor.ErrNotFound)
	}
	f.until("the tasks that end have ended", func() bool { return f.counts().TaskCounts == schema.TaskCounts{Queued: 3} })
	for _, id := range []uuid.UUID{first, repairs, never} {
		f.until("it is not kept", func() bool { return gone(id) })
	}
	f.finish(f.claims(second), completed)
	f.restart()
	f.finish(f.claims(last), completed)
	f.restart()
	f.finish(f.claims(cleans), completed)
	f.until("nothing is kept", func() bool { return f.counts().TaskCounts == schema.TaskCounts{} })
	require.ErrorContains(f, f.submit(task(after(schema.OnFinish, first)))[0].Err, "/after/0: "+first.String())
}

func restartConditions(f *fixture) {
	c := schema.Conditions{
		RunAt: in(f.of(time.Hour)), ExpiresAt: in(f.of(2 * time.Hour)), Group: "ü\n", Key: "\x00", Needs: map[string]int64{"gpu": 1 << 40, "": 1}, On: map[string]string{"ü\n": "a=\x00"}, RetryOf: uuid.New(),
		After: []schema.Dependency{{ID: f.one(), On: schema.OnFinish}, {ID: f.one(), On: schema.OnFailure}, {ID: f.one()}},
	}
	id := f.one(onlyIf(c))
	for range 2 {
		f.restart()
		require.Equal(f, &c, f.get(id).Conditions)
	}
	f.cancel(id, executor.Cancellation{})
	f.restart()
	require.Equal(f, &c, f.get(id).Conditions)
}

package storetest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

var updateContracts = []contract{
	{name: "changes the priority, and keeps the order of submits", test: updatePriority},
	{name: "changes a task far behind in the queue", test: updateFar},
	{name: "lets a task wait for a time, and takes it back", test: updateTime},
	{name: "lets a task expire, and takes it back", test: updateExpiry},
	{name: "moves a task to another group", test: updateGroup},
	{name: "adds and removes labels", test: updateLabels},
	{name: "lets others take a task, by the labels that it asks for", test: updatePlaces},
	{name: "keeps what a task comes after, and what comes after it", test: updateGraph},
	{name: "keeps the place among the tasks of a key", test: updateKey},
	{name: "moves the next attempt", test: updateRetry},
	{name: "tells of a change", test: updateEvents},
	{name: "refuses what does not wait", test: updateRefused},
	{name: "refuses what does not fit, and changes nothing", test: updateWrong},
	{name: "is followed by a cancel at once", test: updateCancelled},
	{name: "holds for many at once", test: updateMany},
}

// restartUpdateContracts are those of a store that is opened again.
var restartUpdateContracts = []contract{
	{name: "keeps what was changed", test: restartUpdated},
}

// update changes a task, which must wait.
func (f *fixture) update(id uuid.UUID, u executor.Update) schema.Task {
	f.Helper()
	t, err := f.store.Update(f.Context(), id, &u)
	require.NoError(f, err)
	require.Equal(f, f.get(id).Task, t, "the answer is the task as it is then")
	return t
}

// refusesUpdate answers why a task cannot be changed.
func (f *fixture) refusesUpdate(id uuid.UUID, u executor.Update) error {
	f.Helper()
	_, err := f.store.Update(f.Context(), id, &u)
	require.Error(f, err)
	return err
}

// runs lets tasks run in this order.
func (f *fixture) runs(ids ...uuid.UUID) {
	f.Helper()
	for _, id := range ids {
		f.finish(f.claims(id), completed)
	}
	f.noClaim()
}

func updatePriority(f *fixture) {
	ids := f.accept(numbered(4)...)
	t := f.update(ids[2], executor.Update{Priority: new(int8(5))})
	require.Equal(f, int8(5), t.Priority)
	require.Nil(f, t.Conditions)
	f.update(ids[3], executor.Update{Priority: new(int8(5))})
	f.update(ids[0], executor.Update{Priority: new(int8(5))})
	f.update(ids[0], executor.Update{Priority: new(int8(0))}) // back in its place
	f.update(ids[1], executor.Update{})
	f.runs(ids[2], ids[3], ids[0], ids[1])
}

func updateFar(f *fixture) {
	ids := f.accept(numbered(3000)...)
	far := ids[len(ids)-2]
	f.update(far, executor.Update{Labels: map[string]string{"far": "yes"}})
	f.update(far, executor.Update{Priority: new(int8(-1)), Labels: map[string]string{"again": "yes"}})
	require.Equal(f, map[string]string{"far": "yes", "again": "yes"}, f.get(far).Labels)
	f.update(ids[len(ids)-1], executor.Update{Priority: new(int8(1))})
	require.Equal(f, int64(len(ids)), f.counts().Queued)
	f.finish(f.claims(ids[len(ids)-1]), completed)
	for _, id := range ids[:len(ids)-2] {
		f.finish(f.claims(id), completed)
	}
	l := f.claims(far)
	require.Equal(f, map[string]string{"far": "yes", "again": "yes"}, l.Record().Labels)
	f.finish(l, completed)
}

func updateTime(f *fixture) {
	first, second := f.one(), f.one()
	at := in(f.of(time.Hour))
	t := f.update(first, executor.Update{RunAt: &at})
	require.Equal(f, &schema.Conditions{RunAt: at}, t.Conditions)
	f.waits(first, schema.WaitsForTime)
	f.finish(f.claims(second), completed)
	f.noClaim()
	later := in(f.of(2 * time.Hour))
	f.update(first, executor.Update{RunAt: &later})
	f.pass(90 * time.Minute)
	f.noClaim()
	t = f.update(first, executor.Update{RunAt: new(schema.Time)})
	require.Nil(f, t.Conditions)
	require.Nil(f, t.WaitingFor)
	f.runs(first)
}

func updateExpiry(f *fixture) {
	require.NoError(f, f.store.Pause(f.Context(), true))
	soon, late := in(f.of(time.Hour)), in(f.of(3*time.Hour))
	ends, stays := f.one(), f.one(onlyIf(schema.Conditions{ExpiresAt: soon}))
	f.update(ends, executor.Update{ExpiresAt: &soon})
	f.update(stays, executor.Update{ExpiresAt: &late})
	f.pass(2 * time.Hour)
	f.endedWith(ends, schema.KindExpired, "had not started")
	require.Nil(f, f.update(stays, executor.Update{ExpiresAt: new(schema.Time)}).Conditions)
	f.pass(2 * time.Hour)
	require.NoError(f, f.store.Pause(f.Context(), false))
	f.runs(stays)
}

func updateGroup(f *fixture) {
	require.NoError(f, f.store.SetGroup(f.Context(), "held", plan.Settings{Paused: true}))
	plain, held := f.one(), f.one(onlyIf(schema.Conditions{Group: "held"}))
	f.update(plain, executor.Update{Group: new("held")})
	f.waits(plain, schema.WaitsForResume)
	f.noClaim()
	f.update(held, executor.Update{Group: new("")})
	f.finish(f.claims(held), completed)
	f.noClaim()
	f.update(plain, executor.Update{Group: new("free")})
	l := f.claims(plain)
	require.Equal(f, "free", l.Record().Conditions.Group)
	f.finish(l, completed)
}

func updateLabels(f *fixture) {
	shared := map[string]string{"a": "1", "b": "2"}
	id, other := f.one(withLabels(shared)), f.one(withLabels(shared))
	f.update(id, executor.Update{Labels: map[string]string{"a": "3", "b": "", "c": "4"}})
	want := map[string]string{"a": "3", "c": "4"}
	require.Equal(f, want, f.get(id).Labels)
	require.Equal(f, map[string]string{"a": "1", "b": "2"}, f.get(other).Labels)
	for labels, found := range map[[2]string]uuid.UUID{{"a", "1"}: other, {"a", "3"}: id, {"b", "2"}: other, {"c", "4"}: id} {
		page, err := f.store.List(f.Context(), executor.Filter{Labels: map[string]string{labels[0]: labels[1]}}, executor.PageRequest{Limit: 10})
		require.NoError(f, err)
		require.Len(f, page.Tasks, 1)
		require.Equal(f, found, page.Tasks[0].ID)
	}
	w := f.watch()
	f.subscribe(w, executor.Selector{Labels: map[string]string{"c": "4"}, Events: executor.AllEvents})
	f.runs(id, other)
	require.Equal(f, kindsOf(executor.EventFinished), kinds(f.drain(w)))
	require.Equal(f, want, f.get(id).Labels)
}

func updateGraph(f *fixture) {
	root, bad := f.one(), f.one()
	middle := f.one(after(schema.OnSuccess, root))
	last, doomed := f.one(after(schema.OnSuccess, middle)), f.one(after(schema.OnSuccess, bad))
	f.update(middle, executor.Update{Priority: new(int8(7)), Group: new("g")})
	f.update(doomed, executor.Update{Labels: map[string]string{"a": "b"}})
	f.update(root, executor.Update{Priority: new(int8(-1))})
	f.waits(middle, schema.WaitsForDependency)
	f.waits(last, schema.WaitsForDependency)
	f.finish(f.claims(bad), failure)
	f.endedWith(doomed, schema.KindDependency, bad.String())
	require.Equal(f, map[string]string{"a": "b"}, f.get(doomed).Labels)
	require.ErrorAs(f, f.refusesUpdate(doomed, executor.Update{}), new(*executor.NotQueuedError))
	f.runs(root, middle, last)
}

func updateKey(f *fixture) {
	keyed := onlyIf(schema.Conditions{Key: "k"})
	ids := f.accept(task(keyed), task(keyed), task(keyed))
	f.update(ids[1], executor.Update{Priority: new(int8(9))})
	f.update(ids[0], executor.Update{Priority: new(int8(1))})
	f.runs(ids...)
}

func updateRetry(f *fixture) {
	id := f.one()
	f.queueAgain(f.claims(id), failedOnce(f.of(time.Hour)))
	at := in(f.of(2 * time.Hour))
	f.update(id, executor.Update{RunAt: &at, Labels: map[string]string{"a": "b"}})
	require.Equal(f, at, f.waits(id, schema.WaitsForRetry)[0].Until)
	f.pass(90 * time.Minute)
	f.noClaim()
	var wrong *executor.InputError
	require.ErrorAs(f, f.refusesUpdate(id, executor.Update{ExpiresAt: &at}), &wrong)
	f.update(id, executor.Update{RunAt: new(schema.Time)})
	l := f.claims(id)
	require.Equal(f, int32(2), l.Record().Attempt)
	require.Len(f, l.Record().History.Attempts, 1)
	f.finish(l, completed)
}

// updateEvents: the owner of a task and a subscription hear of a change. A subscription selects it by the
// labels before or after it, and what follows by those that the task has then.
func updateEvents(f *fixture) {
	owner, other, left := f.watch(), f.watch(), f.watch()
	f.subscribe(other, executor.Selector{Labels: map[string]string{"a": "b"}, Events: executor.DefaultEvents})
	f.subscribe(left, executor.Selector{Labels: map[string]string{"old": "yes"}, Events: executor.DefaultEvents})
	id := f.one(ownedBy(owner, executor.DefaultEvents), withLabels(map[string]string{"old": "yes"}))
	again := failedOnce(0)
	f.queueAgain(f.claims(id), again) // an attempt, whose events show the labels before
	f.update(id, executor.Update{Priority: new(int8(3)), Group: new("g"), Labels: map[string]string{"a": "b", "old": ""}})
	f.update(id, executor.Update{Group: new("")})
	l := f.claims(id)
	require.NoError(f, l.Started(0))
	f.finish(l, completed)
	const updated, started, finished = executor.EventUpdated, executor.EventStarted, executor.EventFinished
	heard := f.drain(other)
	require.Equal(f, kindsOf(updated, updated, started, finished), kinds(heard))
	require.Equal(f, kindsOf(executor.EventRetrying, updated, updated, started, finished), kinds(f.drain(owner)))
	require.Equal(f, int8(3), heard[0].Task.Priority)
	require.Equal(f, map[string]string{"a": "b"}, heard[0].Task.Labels)
	require.Equal(f, "g", heard[0].Task.Conditions.Group)
	require.Equal(f, again.At, heard[0].Next.At)
	require.Nil(f, heard[0].Task.Input)
	require.Less(f, heard[0].Seq, heard[1].Seq)
	require.Equal(f, kindsOf(executor.EventRetrying, updated), kinds(f.drain(left)), "it hears that its label is gone, and nothing after that")
}

func updateRefused(f *fixture) {
	u := executor.Update{Priority: new(int8(1))}
	var refused *executor.NotQueuedError
	id := f.one()
	l := f.claims(id)
	require.ErrorAs(f, f.refusesUpdate(id, u), &refused)
	require.Equal(f, schema.Running, refused.State)
	f.finish(l, failure)
	require.ErrorAs(f, f.refusesUpdate(id, u), &refused)
	require.Equal(f, schema.Failed, refused.State)
	require.Zero(f, f.get(id).Priority)
	require.ErrorIs(f, f.refusesUpdate(uuid.New(), u), executor.ErrNotFound)
}

func updateWrong(f *fixture) {
	at := in(f.of(time.Hour))
	for _, id := range []uuid.UUID{f.one(), f.one(onlyIf(schema.Conditions{RunAt: at}))} {
		before := f.get(id)
		var wrong *executor.InputError
		require.ErrorAs(f, f.refusesUpdate(id, executor.Update{Priority: new(int8(3)), RunAt: &at, ExpiresAt: &at}), &wrong)
		require.Equal(f, "/expiresAt", wrong.Violations[0].Pointer)
		many := map[string]string{}
		for i := range executor.MaxLabels + 1 {
			many[strconv.Itoa(i)] = "x"
		}
		var large *executor.TooLargeError
		require.ErrorAs(f, f.refusesUpdate(id, executor.Update{Labels: many}), &large)
		require.Equal(f, int64(executor.MaxLabels), large.Limit)
		require.Equal(f, before, f.get(id))
		delete(many, "0")
		many["owner"] = "Neovim" // does not count
		require.Len(f, f.update(id, executor.Update{Labels: many}).Labels, executor.MaxLabels+1)
		require.ErrorAs(f, f.refusesUpdate(id, executor.Update{Labels: map[string]string{"0": "x"}}), &large)
	}
}

func updateCancelled(f *fixture) {
	ids := f.accept(task(), task(onlyIf(schema.Conditions{Key: "k"})), task(onlyIf(schema.Conditions{Key: "k"})))
	at := in(f.of(time.Hour))
	for _, id := range ids[:2] {
		var all sync.WaitGroup
		all.Go(func() {
			_, err := f.store.Update(f.Context(), id, &executor.Update{Priority: new(int8(3)), RunAt: &at})
			if err != nil { // the cancel was first
				require.ErrorAs(f, err, new(*executor.NotQueuedError))
			}
		})
		all.Go(func() {
			answer := f.cancel(id, executor.Cancellation{})
			require.NoError(f, answer.Err)
			require.Equal(f, schema.OutcomeCancelled, answer.Outcome)
		})
		all.Wait()
		require.Equal(f, schema.Cancelled, f.get(id).State)
	}
	f.runs(ids[2])
	require.Equal(f, schema.TaskCounts{Completed: 1, Cancelled: 2}, f.counts().TaskCounts)
}

// updateMany changes tasks many times at once.
func updateMany(f *fixture) {
	ids := f.accept(numbered(20)...)
	var all sync.WaitGroup
	for i, id := range ids {
		for n := range 5 {
			all.Go(func() {
				u := &executor.Update{Labels: map[string]string{strconv.Itoa(n): "x"}}
				if n == 0 {
					u.Priority = new(int8(i))
				}
				_, err := f.store.Update(context.WithoutCancel(f.Context()), id, u)
				require.NoError(f, err)
			})
		}
	}
	all.Wait()
	for i := len(ids) - 1; i >= 0; i-- {
		l := f.claims(ids[i])
		require.Len(f, l.Record().Labels, 5)
		f.finish(l, completed)
	}
	f.noClaim()
}

func restartUpdated(f *fixture) {
	at := in(f.of(3 * time.Hour)) // a restart may take a second on a slow machine
	ids := f.accept(numbered(4, withLabels(map[string]string{"a": "1"}))...)
	freed := f.one(onlyIf(schema.Conditions{RunAt: at, Group: "g"}))
	f.update(freed, executor.Update{RunAt: new(schema.Time), Group: new("")})
	f.update(ids[0], executor.Update{RunAt: &at, Labels: map[string]string{"a": "2", "b": "3"}})
	f.update(ids[3], executor.Update{Priority: new(int8(9))})
	f.update(ids[2], executor.Update{Group: new("held"), On: map[string]string{"gpu": "a100"}})
	f.update(ids[2], executor.Update{On: map[string]string{}})
	placed := f.one(on("gpu", "a100"), withPriority(50))
	f.update(placed, executor.Update{On: map[string]string{"gpu": "h100", "os": "linux"}})
	again := f.one(withPriority(100))
	f.queueAgain(f.claims(again), failedOnce(f.of(time.Hour)))
	later := in(f.of(5 * time.Hour))
	f.update(again, executor.Update{RunAt: &later})
	before := []executor.Record{f.get(ids[0]), f.get(ids[1]), f.get(ids[2]), f.get(ids[3]), f.get(freed), f.get(again), f.get(placed)}
	f.restart()
	for _, r := range before {
		require.Equal(f, r.Task, f.get(r.ID).Task)
	}
	require.Equal(f, later, f.waits(again, schema.WaitsForRetry)[0].Until)
	f.waits(ids[0], schema.WaitsForTime)
	f.finish(f.claimedBy(f.labelled("gpu", "h100", "os", "linux")), completed)
	f.runs(ids[3], ids[1], ids[2], freed)
	page, err := f.store.List(f.Context(), executor.Filter{Labels: map[string]string{"a": "1"}}, executor.PageRequest{Limit: 10})
	require.NoError(f, err)
	require.Len(f, page.Tasks, 3)
	f.pass(3 * time.Hour)
	f.runs(ids[0])
}

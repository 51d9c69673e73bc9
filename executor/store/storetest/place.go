package storetest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file has the contract of labels: on which claimers a task may run.

// labelled is a claimer that has labels, given as names and values.
func (f *fixture) labelled(pairs ...string) executor.Claimer {
	f.Helper()
	c, err := f.store.Join(f.Context(), executor.Offer{Labels: labelsOf(pairs)})
	require.NoError(f, err)
	return c
}

func labelsOf(pairs []string) map[string]string {
	labels := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}

// on lets a task ask for labels.
func on(pairs ...string) func(*executor.Submission) {
	return onlyIf(schema.Conditions{On: labelsOf(pairs)})
}

func joinLabels(f *fixture) {
	ids := f.accept(
		task(on("gpu", "a100"), withPriority(9)), task(on("gpu", "a100", "os", "linux")), task(on("gpu", "h100")), task(), task(on("os", "linux")))
	plain, both := f.labelled(), f.labelled("gpu", "a100", "os", "linux", "zone", "b")
	require.Equal(f, int64(4), f.unclaimable(plain))
	require.Equal(f, int64(1), f.unclaimable(both))
	require.Equal(f, map[string]string{"gpu": "a100", "os": "linux"}, f.get(ids[1]).Conditions.On)
	require.Equal(f, ids[3], f.claimedBy(plain).Record().ID)
	next := f.waiting(claimOf(plain))
	require.True(f, next.waits())
	for _, i := range []int{0, 1, 4} {
		l := f.claimedBy(both)
		require.Equal(f, ids[i], l.Record().ID)
		f.finish(l, completed)
	}
	waiting := f.waiting(claimOf(both))
	require.True(f, waiting.waits())
	require.Equal(f, int64(1), f.counts().Queued)
	late := f.labelled("gpu", "h100")
	require.Equal(f, ids[2], f.claimedBy(late).Record().ID, "one that comes later takes what has waited")
	require.Equal(f, f.one(on("zone", "b")), waiting.got(), "one that waits is woken")
	require.Equal(f, f.one(), next.got())
}

func updatePlaces(f *fixture) {
	here, there := f.labelled("gpu", "a100"), f.labelled("gpu", "h100")
	ids := f.accept(task(on("gpu", "t4")), task(on("gpu", "a100")), task(on("gpu", "t4"), withPriority(9)), task(withPriority(-1)))
	waiting := f.waiting(claimOf(there))
	require.Equal(f, ids[3], waiting.got())
	next := f.waiting(claimOf(there))
	require.True(f, next.waits())
	t := f.update(ids[0], executor.Update{On: map[string]string{"gpu": "h100"}})
	require.Equal(f, &schema.Conditions{On: map[string]string{"gpu": "h100"}}, t.Conditions)
	require.Equal(f, ids[0], next.got(), "one that waits is woken")
	f.update(ids[1], executor.Update{On: map[string]string{"gpu": "h100", "os": "linux"}, Group: new("g")})
	f.update(ids[1], executor.Update{Priority: new(int8(3))}) // it still asks for them
	require.Equal(f, int64(2), f.unclaimable(here))
	f.update(ids[2], executor.Update{On: map[string]string{}})
	require.Nil(f, f.get(ids[2]).Conditions)
	require.Equal(f, ids[2], f.claimedBy(here).Record().ID)
	tried := f.one(onlyIf(schema.Conditions{Retry: &schema.Retry{MaxAttempts: 2}}))
	first := f.claimedBy(here)
	require.Equal(f, tried, first.Record().ID)
	f.queueAgain(first, failedOnce(0))
	require.Equal(f, map[string]string{"gpu": "t4"}, f.update(tried, executor.Update{On: map[string]string{"gpu": "t4"}}).Conditions.On)
	plain := f.one()
	f.update(plain, executor.Update{On: map[string]string{"zone": "b"}})
	require.Equal(f, int64(3), f.unclaimable(here), "another attempt asks for labels, too, and what had no condition")
	require.Equal(f, tried, f.claimedBy(f.labelled("gpu", "t4")).Record().ID)
	require.Equal(f, plain, f.claimedBy(f.labelled("zone", "b")).Record().ID)
	require.Equal(f, ids[1], f.claimedBy(f.labelled("gpu", "h100", "os", "linux")).Record().ID)
}

func joinLabelsPass(f *fixture) {
	const many = 50
	var before []executor.Submission
	for i := range many {
		before = append(before, task(on("host", "h"+string(rune('a'+i%26))), withPriority(9)))
	}
	f.accept(before...)
	here := f.labelled("host", "here")
	ids := f.accept(task(on("host", "here")), task())
	require.Equal(f, int64(many), f.unclaimable(here))
	for _, id := range ids {
		l := f.claimedBy(here)
		require.Equal(f, id, l.Record().ID)
		f.finish(l, completed)
	}
	require.Equal(f, int64(many), f.counts().Queued)
}

func joinLabelsAmong(f *fixture) {
	a, b := f.labelled("zone", "a"), f.labelled("zone", "b")
	require.NoError(f, f.store.SetGroup(f.Context(), "narrow", plan.Settings{Limit: 1}))
	in := func(zone string, c schema.Conditions) func(*executor.Submission) {
		c.On = map[string]string{"zone": zone}
		return onlyIf(c)
	}
	ids := f.accept(
		task(in("a", schema.Conditions{Group: "narrow"})), task(in("b", schema.Conditions{Group: "narrow"})),
		task(in("a", schema.Conditions{Key: "one"})), task(in("b", schema.Conditions{Key: "one"})),
		task(in("a", schema.Conditions{Retry: &schema.Retry{MaxAttempts: 2}})))
	grouped, keyed := f.claimedBy(a), f.claimedBy(a)
	require.Equal(f, []uuid.UUID{ids[0], ids[2]}, []uuid.UUID{grouped.Record().ID, keyed.Record().ID})
	next := f.waiting(claimOf(b))
	require.True(f, next.waits())
	f.waits(ids[1], schema.WaitsForGroup)
	f.waits(ids[3], schema.WaitsForKey)
	f.finish(keyed, completed)
	require.Equal(f, ids[3], next.got())
	f.finish(grouped, completed)
	require.Equal(f, ids[1], f.claimedBy(b).Record().ID)
	tried := f.claimedBy(a)
	require.Equal(f, ids[4], tried.Record().ID)
	failed := make(chan error, 1)
	tried.Retry(&executor.NextAttempt{At: schema.Now(), Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}}, func(err error) { failed <- err })
	tried.Release()
	require.NoError(f, <-failed)
	other := f.waiting(claimOf(b))
	require.True(f, other.waits(), "another attempt runs where the first did")
	again := f.claimedBy(a)
	require.Equal(f, ids[4], again.Record().ID)
	f.finish(again, completed)
	require.Equal(f, f.one(), other.got())
}

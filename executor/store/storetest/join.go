package storetest

import (
	"context"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var joinContracts = []contract{
	{name: "a claimer takes tasks of its types only", test: joinTypes},
	{name: "a claimer of no types takes nothing", test: joinNoTypes},
	{name: "every claimer is woken by tasks of its types", test: joinWakes},
	{name: "limits are of one claimer", test: joinLimits},
	{name: "a claimer takes tasks that ask for its labels, and no others that ask for labels", test: joinLabels},
	{name: "a task that asks for labels holds up no other", test: joinLabelsPass},
	{name: "one that asks for labels keeps its group, its key and its tries", test: joinLabelsAmong},
	{name: "one that has left is not woken, and its leases go on", test: joinLeave},
}

func (f *fixture) join(limits executor.TypeLimits, types ...string) executor.Claimer {
	f.Helper()
	c, err := f.store.Join(f.Context(), executor.Offer{Types: types, Limits: limits})
	require.NoError(f, err)
	return c
}

// claimOf is a claim of nobody who has a task that ended.
func claimOf(c executor.Claimer) func(context.Context) (executor.Lease, error) {
	return func(ctx context.Context) (executor.Lease, error) { return c.Claim(ctx, executor.Ended{}) }
}

// claimedBy is the next task of a claimer, which must be there.
func (f *fixture) claimedBy(c executor.Claimer) executor.Lease {
	f.Helper()
	ctx, end := context.WithTimeout(f.Context(), patience)
	defer end()
	l, err := c.Claim(ctx, executor.Ended{})
	require.NoError(f, err)
	return l
}

func (f *fixture) unclaimable(c executor.Claimer) int64 {
	f.Helper()
	n, err := c.Unclaimable(f.Context(), 0)
	require.NoError(f, err)
	return n
}

func joinTypes(f *fixture) {
	ids := f.accept(task(ofType("a"), withPriority(9)), task(ofType("b")), task(ofType("c")), task(ofType("a")), task(ofType("c"), withPriority(1)))
	c := f.join(nil, "b", "c", "d")
	require.Equal(f, int64(2), f.unclaimable(c))
	for _, i := range []int{4, 1, 2} {
		require.Equal(f, ids[i], f.claimedBy(c).Record().ID)
	}
	next := f.waiting(claimOf(c))
	require.True(f, next.waits())
	require.Equal(f, int64(2), f.unclaimable(c))
	require.Equal(f, schema.OutcomeCancelled, f.cancel(ids[0], executor.Cancellation{}).Outcome)
	require.Equal(f, int64(1), f.unclaimable(c))
	require.Equal(f, int64(1), f.counts().Queued)
	require.Equal(f, f.one(ofType("d")), next.got())
	require.Equal(f, ids[3], f.claim().Record().ID, "another takes it")
	require.Zero(f, f.unclaimable(c))
}

func joinNoTypes(f *fixture) {
	c := f.join(nil, []string{}...) // not nil, which is every type
	require.True(f, f.waiting(claimOf(c)).waits())
	f.one()
	f.idle()
	require.Equal(f, int64(1), f.counts().Queued)
}

func joinWakes(f *fixture) {
	a, b := f.join(nil, "a"), f.join(nil, "b")
	var waiting []*claimer
	for _, c := range []executor.Claimer{a, b, a, b} {
		waiting = append(waiting, f.waiting(claimOf(c)))
	}
	require.True(f, waiting[3].waits())
	ids := f.accept(task(ofType("b")), task(ofType("b")))
	require.ElementsMatch(f, ids, []uuid.UUID{waiting[1].got(), waiting[3].got()})
	require.True(f, waiting[0].waits())
	require.True(f, waiting[2].waits())
	f.accept(task(ofType("a")), task(ofType("a")))
	waiting[0].got()
	waiting[2].got()
}

func joinLimits(f *fixture) {
	one, two := f.join(limits, "narrow"), f.join(limits, "narrow")
	ids := f.accept(task(ofType("narrow")), task(ofType("narrow")), task(ofType("narrow")))
	first := f.claimedBy(one)
	next := f.waiting(claimOf(one))
	require.True(f, next.waits())
	require.Equal(f, ids[1], f.claimedBy(two).Record().ID)
	f.finish(first, completed)
	require.Equal(f, ids[2], next.got())
}

func joinLeave(f *fixture) {
	gone, stays := f.join(nil, "a"), f.join(nil, "a")
	id := f.one(ofType("a"))
	l := f.claimedBy(gone)
	next := f.waiting(claimOf(stays))
	require.True(f, next.waits())
	gone.Leave()
	require.NoError(f, l.Started(0))
	f.finish(l, completed)
	require.Equal(f, schema.Completed, f.get(id).State)
	require.Equal(f, f.one(ofType("a")), next.got())
}

package storetest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

var limitContracts = []contract{
	{name: "hold back their type only", test: limitHoldsBack},
	{name: "release lets the next one go, finish does not", test: limitRelease},
	{name: "hold also for what was queued before", test: limitQueuedBefore},
	{name: "keep the order between types", test: limitOrder},
	{name: "are never passed", test: limitNeverPassed},
}

var limits = executor.TypeLimits{"narrow": 1, "wide": 2}

func limitHoldsBack(f *fixture) {
	narrow := f.accept(task(ofType("narrow"), withPriority(9)), task(ofType("narrow"), withPriority(9)))
	plain := f.accept(task(), task())
	wide := f.one(ofType("wide"))
	for _, want := range []uuid.UUID{narrow[0], plain[0], plain[1], wide} {
		require.Equal(f, want, f.claimWithin(limits).Record().ID)
	}
	require.True(f, f.claimer(limits).waits())
}

func limitRelease(f *fixture) {
	ids := f.accept(task(ofType("narrow")), task(ofType("narrow")), task(ofType("narrow")))
	first := f.claimWithin(limits)
	c := f.claimer(limits)
	require.NoError(f, finished(first, completed))
	require.True(f, c.waits(), "the code of the first may still run")
	first.Release()
	require.Equal(f, ids[1], c.got())
	c.lease.Release() // it was lost: there is no finish
	require.Equal(f, ids[2], f.claimWithin(limits).Record().ID)
}

func limitQueuedBefore(f *fixture) {
	c := f.claimer(limits)
	require.True(f, c.waits())
	ids := f.accept(task(ofType("narrow")), task(), task(ofType("narrow")))
	require.Equal(f, ids[0], c.got())
	require.Equal(f, ids[1], f.claimWithin(limits).Record().ID)
	require.True(f, f.claimer(limits).waits())
}

func limitOrder(f *fixture) {
	ids := f.accept(
		task(ofType("wide")), task(), task(ofType("narrow")), task(withPriority(1)),
		task(ofType("wide"), withPriority(1)), task(ofType("narrow"), withPriority(-1)), task(withPriority(-1)),
	)
	for _, i := range []int{3, 4, 0, 1, 2, 6} {
		require.Equal(f, ids[i], f.claimWithin(limits).Record().ID)
	}
	require.True(f, f.claimer(limits).waits())
}

func limitNeverPassed(f *fixture) {
	const tasks = 120
	var running, most atomic.Int64
	ctx, cancel := context.WithCancel(f.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				l, err := f.claimers.claim(ctx, f.store, limits)
				if err != nil {
					return
				}
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				_ = l.Started(0)
				_ = finished(l, completed)
				running.Add(-1)
				l.Release()
			}
		})
	}
	for range tasks {
		f.one(ofType("wide"))
	}
	f.until("all ends: no wake was lost", func() bool { return f.counts().Completed == tasks })
	cancel()
	all.Wait()
	require.LessOrEqual(f, most.Load(), int64(2))
}

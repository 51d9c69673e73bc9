package storetest

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var claimEndContracts = []contract{
	{name: "records the end and takes the next task", test: claimEndTakesNext},
	{name: "records the end though it has to wait", test: claimEndWaits},
	{name: "records the end though its context has ended", test: claimEndOfEndedContext},
	{name: "records no second end", test: claimEndOnce},
	{name: "releases the type of the task that ended", test: claimEndReleases},
	{name: "is answered when the store is closed", test: claimEndClosed},
}

// ended is the completed end of a lease, and what is told of its record.
func ended(l executor.Lease) (executor.Ended, chan error) {
	told := make(chan error, 2)
	return executor.Ended{Lease: l, Outcome: completed, Recorded: func(err error) { told <- err }}, told
}

// claimAfter claims a task that is there.
func (f *fixture) claimAfter(c executor.Claimer, end executor.Ended) (executor.Lease, error) {
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	return c.Claim(ctx, end)
}

func claimEndTakesNext(f *fixture) {
	ids := f.accept(task(), task(), task())
	w := f.watchAll()
	c := f.join(nil)
	l := f.claimedBy(c)
	for _, id := range ids[1:] {
		end, told := ended(l)
		next, err := f.claimAfter(c, end)
		require.NoError(f, err)
		require.Equal(f, id, next.Record().ID)
		require.NoError(f, <-told)
		require.Equal(f, schema.Completed, f.get(l.Record().ID).State)
		require.ErrorIs(f, l.Started(0), executor.ErrLeaseLost)
		require.NoError(f, next.Started(0))
		require.Equal(f, schema.Running, f.get(id).State)
		l = next
	}
	require.Equal(f, int64(2), f.counts().Completed)
	require.Equal(f, int64(1), f.counts().Running)
	require.Equal(f, []executor.EventKind{
		executor.EventFinished, executor.EventStarted, executor.EventFinished, executor.EventStarted,
	}, kinds(f.drain(w)))
}

func claimEndWaits(f *fixture) {
	id := f.one()
	c := f.join(nil)
	end, told := ended(f.claimedBy(c))
	next := f.waiting(func(ctx context.Context) (executor.Lease, error) { return c.Claim(ctx, end) })
	require.True(f, next.waits())
	require.NoError(f, <-told)
	require.Equal(f, schema.Completed, f.get(id).State)
	require.Equal(f, f.one(), next.got())
	require.Empty(f, told)
}

func claimEndOfEndedContext(f *fixture) {
	ids := f.accept(task(), task())
	c := f.join(nil)
	end, told := ended(f.claimedBy(c))
	ctx, cancel := context.WithCancelCause(f.Context())
	cause := errors.New("enough")
	cancel(cause)
	_, err := c.Claim(ctx, end)
	require.ErrorIs(f, err, cause)
	require.NoError(f, <-told)
	require.Equal(f, schema.Completed, f.get(ids[0]).State)
	require.Equal(f, schema.Queued, f.get(ids[1]).State)
}

func claimEndOnce(f *fixture) {
	ids := f.accept(task(), task())
	c := f.join(nil)
	l := f.claimedBy(c)
	require.NoError(f, finished(l, executor.Outcome{State: schema.Failed}))
	end, told := ended(l)
	next, err := f.claimAfter(c, end)
	require.NoError(f, err)
	require.Equal(f, ids[1], next.Record().ID)
	require.ErrorIs(f, <-told, executor.ErrLeaseLost)
	require.Equal(f, schema.Failed, f.get(ids[0]).State)
}

func claimEndReleases(f *fixture) {
	ids := f.accept(task(ofType("narrow")), task(ofType("narrow")), task(ofType("narrow")))
	c := f.join(limits)
	l := f.claimedBy(c)
	for _, id := range ids[1:] {
		end, told := ended(l)
		next, err := f.claimAfter(c, end)
		require.NoError(f, err)
		require.Equal(f, id, next.Record().ID)
		require.NoError(f, <-told)
		l = next
	}
	f.one(ofType("narrow"))
	require.True(f, f.waiting(claimOf(c)).waits(), "one is held")
}

func claimEndClosed(f *fixture) {
	f.accept(task(), task())
	c := f.join(nil)
	end, told := ended(f.claimedBy(c))
	require.NoError(f, f.store.Close())
	_, err := c.Claim(context.Background(), end)
	require.ErrorIs(f, err, executor.ErrClosed)
	require.ErrorIs(f, <-told, executor.ErrClosed)
}

package nats

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// A process that is drained gets nothing until that is undone, whatever its claims do meanwhile, and
// tasks that others may run wait for none of its turns.
func TestDrain(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	drained, other := open(t, Options{Address: at, Name: "a", Lease: longLease}), open(t, Options{Address: at, Name: "b", Lease: longLease})
	drives := open(t, Options{Address: at, Lease: longLease, Role: RoleDriver})
	mine, theirs := drained.joins(t), other.joins(t)
	got := make(chan executor.Lease, 1)
	go func() {
		l, err := mine.Claim(context.Background(), executor.Ended{})
		if err == nil {
			got <- l
		}
	}()
	for p, says := range map[*Store]error{drives: executor.ErrNotPermitted, other: nil} {
		_, err := p.Drain(t.Context(), &schema.DrainParams{Executor: "a"})
		require.ErrorIs(t, err, says)
	}
	_, err := other.Drain(t.Context(), &schema.DrainParams{Executor: "c"})
	require.ErrorIs(t, err, executor.ErrUnknownExecutor)
	require.Eventually(t, drained.Draining, patience, time.Millisecond)

	first, second := newTask(), newTask()
	drained.submits(t, first) // which takes no claim along
	require.NoError(t, finishes(claims(t, theirs)))
	drained.submits(t, second)
	other.fence(t, drained.self) // it joins again, and is drained as before
	drained.submits(t, newTask())
	require.Empty(t, got)
	all, err := drained.Executors(t.Context())
	require.NoError(t, err)
	require.True(t, all[0].Draining)
	late := open(t, Options{Address: at, Lease: longLease})
	all, err = late.Executors(t.Context())
	require.NoError(t, err)
	require.True(t, all[0].Draining)

	_, err = late.Drain(t.Context(), &schema.DrainParams{Executor: "a", Undo: true})
	require.NoError(t, err)
	l := <-got
	require.Equal(t, second.ID, l.Record().ID)
	require.NoError(t, finishes(l))

	select {
	case <-drained.Dismissed():
		require.Fail(t, "it was not told to end")
	default:
	}
	_, err = late.Drain(t.Context(), &schema.DrainParams{Executor: "a", End: true})
	require.NoError(t, err)
	<-drained.Dismissed()
	_, err = late.Drain(t.Context(), &schema.DrainParams{Executor: "a", Undo: true})
	require.ErrorContains(t, err, "was told to end, which cannot be undone")
	for _, s := range []*Store{drained, other, drives, late} {
		require.NoError(t, s.Close())
	}
}

package nats

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// One of three servers of NATS stops, the one that leads. All that was told is there, what is
// under way is recorded, and nobody is given up for it.
func TestAServerOfThreeStops(t *testing.T) {
	if raced {
		t.Skip("the race detector watches this process without the servers")
	}
	t.Parallel()
	all, err := natstest.Start(t.TempDir(), 3)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at := servers(all.URLs()).namespace(t)
	one, other := open(t, Options{Address: at, Lease: longLease}), open(t, Options{Address: at, Lease: longLease})
	before, while := newTask(), newTask()
	one.submits(t, before)
	c := other.joins(t)
	held := claims(t, c)
	leader(t, all, at).Shutdown()
	one.submits(t, while)
	require.NoError(t, finishes(held))
	require.NoError(t, finishes(claims(t, c)))
	one.sees(t, before.ID, schema.Completed)
	one.sees(t, while.ID, schema.Completed)
	require.NoError(t, one.Close())
	require.NoError(t, other.Close())
}

// leader is the server that leads the stream of a namespace.
func leader(t *testing.T, all natstest.Cluster, at Address) *natstest.Server {
	for _, s := range all {
		if s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, at.StreamName()) {
			return s
		}
	}
	require.Fail(t, "no server leads the stream")
	return nil
}

// All servers of NATS are killed at once while tasks are submitted. They come back with their files, and all that was
// acknowledged is there.
func TestAllServersAreKilled(t *testing.T) {
	if raced {
		t.Skip("the race detector watches this process without the servers")
	}
	t.Parallel()
	nodes := natstest.Nodes(t, t.TempDir(), 3)
	var all servers
	for _, n := range nodes {
		all = append(all, n.URL)
	}
	at := all.namespace(t)
	s := opens(t, Options{Address: at, Lease: time.Minute})
	acknowledged := make(chan executor.Submission, 1000)
	var submitting sync.WaitGroup
	for range 4 {
		submitting.Go(func() {
			for one := newTask(); len(acknowledged) < 900; one = newTask() {
				ctx, end := context.WithTimeout(t.Context(), time.Second)
				_, err := s.Submit(ctx, []executor.Submission{one})
				end()
				if err != nil {
					return
				}
				acknowledged <- one
			}
		})
	}
	require.Eventually(t, func() bool { return len(acknowledged) > 100 }, patience, time.Millisecond)
	for _, n := range nodes {
		require.NoError(t, n.Kill())
	}
	submitting.Wait()
	for _, n := range nodes {
		require.NoError(t, n.Start(0))
	}
	last := newTask()
	require.Eventually(t, func() bool {
		_, err := s.Submit(t.Context(), []executor.Submission{last})
		return err == nil
	}, patience, 100*time.Millisecond)
	close(acknowledged)
	other := opens(t, Options{Address: at, Lease: time.Minute})
	for one := range acknowledged {
		for _, of := range []*Store{s, other} {
			_, err := of.Get(t.Context(), one.ID)
			require.NoError(t, err)
		}
	}
}

package nats

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

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

package nats

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Two executors that live do not have one name. One that has died keeps nobody from its name, though the
// others have not given it up yet, and processes that run nothing may have any.
func TestName(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	about := Options{Address: at, Name: "build-1", Slots: 1, Lease: shortLease}
	first := opens(t, about)
	_, err := Open(context.Background(), about)
	require.ErrorIs(t, err, ErrNameTaken)
	require.Contains(t, err.Error(), executor.ProcessName())
	opens(t, Options{Address: at, Name: "build-1", Lease: shortLease})

	first.joins(t)
	drained, err := first.Drain(t.Context(), &schema.DrainParams{Executor: executor.ProcessName()})
	require.NoError(t, err)
	require.Equal(t, "build-1", drained.Name)
	require.True(t, drained.Draining)

	other := about
	other.Name, other.Lease = "build-2", longLease
	dies := open(t, Options{Address: at, Name: other.Name, Slots: 1, Lease: shortLease})
	dies.crash()
	opens(t, other)

	first.applying.Lock() // so that nothing is heard
	defer first.applying.Unlock()
	all, err := first.Executors(t.Context())
	require.NoError(t, err)
	require.Less(t, all[0].SilentMs, shortLease.Milliseconds())
	first.machine.mu.Lock()
	first.machine.peers[first.self].heard = time.Now().Add(-shortLease)
	first.machine.mu.Unlock()
	all, err = first.Executors(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, all[0].SilentMs, shortLease.Milliseconds())
}

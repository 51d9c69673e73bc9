package nats

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// The namespace is full. Nothing more is recorded, and those who ask are told why. What was
// acknowledged is there, and all goes on when there is room.
func TestFullNamespace(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	bound := func(bytes int64) {
		_, err := s.journal.(*streamJournal).js.UpdateStream(t.Context(), streamConfig(at, Namespace{MaxBytes: bytes}))
		require.NoError(t, err)
	}
	bound(64 << 10)
	all := s.submitUntilFull(t, "maximum bytes exceeded")
	bound(10 << 20)
	s.knowsAll(t, all)
	require.Empty(t, s.Info().Fault)
}

// The server of NATS has no room for more. It is as where the namespace is full.
func TestFullServer(t *testing.T) {
	if raced {
		t.Skip("the race detector watches this process without the servers")
	}
	t.Parallel()
	all, err := natstest.Start(t.TempDir(), 1, func(o *server.Options) { o.JetStreamMaxStore = 64 << 10 })
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	s := opens(t, Options{Address: servers(all.URLs()).namespace(t), Lease: longLease})
	tasks := s.submitUntilFull(t, "insufficient resources")
	all[0].Shutdown()
	all[0].WaitForShutdown()
	require.NoError(t, all[0].Restart(func(o *server.Options) { o.JetStreamMaxStore = 10 << 20 }))
	s.knowsAll(t, tasks)
}

// large is a task with a large input.
func large() executor.Submission {
	return newTask(func(s *executor.Submission) { s.Input = fmt.Appendf(nil, "%q", strings.Repeat("x", 8<<10)) })
}

// submitUntilFull submits tasks until one is not recorded, and the error says why. It answers all.
func (s *Store) submitUntilFull(t *testing.T, why string) (all []executor.Submission) {
	t.Helper()
	for {
		one := large()
		all = append(all, one)
		ctx, end := context.WithTimeout(t.Context(), resendAfter+time.Second)
		defer end()
		if _, err := s.Submit(ctx, []executor.Submission{one}); err != nil {
			require.ErrorIs(t, err, executor.ErrStoreUnavailable)
			require.ErrorIs(t, err, executor.ErrOutcomeUnknown)
			require.ErrorContains(t, err, why)
			return all
		}
		require.Less(t, len(all), 100)
	}
}

// knowsAll waits until the last of some tasks is known, which was on its way. Those before it were
// acknowledged.
func (s *Store) knowsAll(t *testing.T, all []executor.Submission) {
	t.Helper()
	s.sees(t, all[len(all)-1].ID, schema.Queued)
	for _, one := range all {
		_, err := s.Get(t.Context(), one.ID)
		require.NoError(t, err)
	}
	s.submits(t, newTask())
}

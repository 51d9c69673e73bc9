package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/executor/store/sqlite/outboxfile"
	"github.com/jobline/jobline/schema"
)

// patience is how long a test waits for what is bound to happen.
const patience = 30 * time.Second

// real is an outbox with its file, in front of a namespace in servers of NATS.
type real struct {
	*outbox.Store
	over chan struct{}
}

func startReal(t *testing.T, path string, o nats.Options) *real {
	t.Helper()
	f, entries, err := outboxfile.Open(t.Context(), path, "jobs")
	require.NoError(t, err)
	s := &real{outbox.New(f, outbox.Options{Entries: entries, Open: func(ctx context.Context) (outbox.Namespace, error) {
		in, err := nats.Open(ctx, o)
		if err != nil {
			return nil, err
		}
		return in, nil
	}}), make(chan struct{})}
	go func() {
		defer close(s.over)
		s.Run(context.Background())
	}()
	return s
}

func (s *real) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Close())
	<-s.over
}

// startNATS starts a server of NATS with a namespace.
func startNATS(t *testing.T) (natstest.Cluster, nats.Address) {
	t.Helper()
	all, err := natstest.Start(t.TempDir(), 1)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at := nats.Address{Servers: all.URLs(), Namespace: "jobs"}
	_, err = nats.Init(t.Context(), at, nats.Credentials{}, nats.Namespace{})
	require.NoError(t, err)
	return all, at
}

// posts submits one task.
func (s *real) posts(t *testing.T, one executor.Submission) executor.Submitted {
	t.Helper()
	answers, err := s.Post(t.Context(), []executor.Submission{one})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
	return answers[0]
}

// A connection to NATS is cut and mended at random moments. Each task is recorded once and in order, and its owner
// is told what becomes of it, in order, too.
func TestOutboxInFrontOfNATS(t *testing.T) {
	t.Parallel()
	all, direct := startNATS(t)
	proxy := natstest.NewProxy(t, all.URLs()[0])
	through := nats.Options{Address: nats.Address{Servers: []string{proxy.URL()}, Namespace: "jobs"}, Role: nats.RoleDriver}
	proxy.Cut()
	path := filepath.Join(t.TempDir(), "outbox.db")
	s := startReal(t, path, through)
	require.ErrorIs(t, <-s.Tried(), nats.ErrUnreachable)
	watcher, err := s.Watch(t.Context())
	require.NoError(t, err)
	defer watcher.Close()
	var want []uuid.UUID
	waited := 0
	post := func() {
		one := task(func(x *executor.Submission) { x.Owner, x.Events = watcher.ID(), executor.DefaultEvents })
		if len(s.posts(t, one).WaitingFor) > 0 {
			waited++
		}
		want = append(want, one.ID)
	}
	post()
	proxy.Mend()
	require.Eventually(t, func() bool { return s.State().Waiting == 0 && !s.Info().Unread }, patience, time.Millisecond)
	require.Equal(t, 1, waited)
	for range 3 {
		for range rand.IntN(20) {
			post()
		}
		proxy.Cut()
		for range 1 + rand.IntN(20) {
			post()
		}
		proxy.Mend()
	}
	require.Eventually(t, func() bool { return s.State().Waiting == 0 }, patience, time.Millisecond)
	require.Greater(t, waited, 1)

	runs, err := nats.Open(t.Context(), nats.Options{Address: direct})
	require.NoError(t, err)
	defer func() { require.NoError(t, runs.Close()) }()
	page, err := runs.List(t.Context(), executor.Filter{}, executor.PageRequest{Oldest: true, Limit: 1000})
	require.NoError(t, err)
	var got []uuid.UUID
	for i := range page.Tasks {
		got = append(got, page.Tasks[i].ID)
	}
	require.Equal(t, want, got)

	claimer, err := runs.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	for range want {
		lease, err := claimer.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		require.NoError(t, lease.Started(0))
		lease.Finish(executor.Outcome{State: schema.Completed, Result: []byte("{}")}, func(error) {})
		lease.Release()
	}
	claimer.Leave()
	told := map[uuid.UUID]string{}
	for last, ends := uint64(0), 0; ends < len(want); {
		events, err := watcher.Next(t.Context())
		require.NoError(t, err)
		for _, ev := range events {
			require.Greater(t, ev.Seq, last)
			last = ev.Seq
			told[ev.ID] += fmt.Sprint(" ", ev.Kind)
			if ev.Kind == executor.EventFinished {
				ends++
			}
		}
	}
	sent := 0
	for _, id := range want {
		if told[id] == " updated started finished" {
			sent++
			continue
		}
		require.Equal(t, " started finished", told[id])
	}
	require.LessOrEqual(t, sent, waited)
	require.Positive(t, sent)
	s.stop(t)
}

// A server of NATS that stops and starts again finds in the outbox what came meanwhile.
func TestServerOfNATSStopsAndStarts(t *testing.T) {
	t.Parallel()
	all, at := startNATS(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	s := startReal(t, path, nats.Options{Address: at, Role: nats.RoleDriver})
	require.NoError(t, <-s.Tried())
	require.Eventually(t, func() bool { return !s.Info().Unread }, patience, time.Millisecond)
	all[0].Shutdown()
	all[0].WaitForShutdown()
	first, second := task(), task()
	s.posts(t, first)
	require.NotEmpty(t, s.Info().Fault)
	s.stop(t)
	s = startReal(t, path, nats.Options{Address: at, Role: nats.RoleDriver})
	require.ErrorIs(t, <-s.Tried(), nats.ErrUnreachable)
	s.posts(t, second)
	require.NoError(t, all[0].Restart())
	for _, one := range []executor.Submission{first, second} {
		require.Eventually(t, func() bool {
			r, err := s.Get(t.Context(), one.ID)
			return err == nil && !waitsHere(&r.Task)
		}, patience, time.Millisecond)
	}
	require.Zero(t, s.State().Waiting)
	s.stop(t)
}

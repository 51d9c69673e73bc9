package nats

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// until waits until something holds of a store, which is looked at with its lock.
func (s *Store) until(t *testing.T, holds func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return holds()
	}, patience, time.Millisecond)
}

// sent reports whether a change is in a message under way; it needs the lock.
func (s *Store) sent(of func(*pending) bool) bool {
	return slices.ContainsFunc(s.flights, func(f *flight) bool { return slices.ContainsFunc(f.changes, of) })
}

// A claim that is under way while a process gives its leases up gets a task when the servers are
// back. The task is not one of those that were given up.
func TestClaimOfAnOutageKeepsItsTask(t *testing.T) {
	t.Parallel()
	_, at, p := proxied(t)
	alone := opens(t, Options{Address: at, Lease: shortLease})
	held, next := newTask(), newTask()
	alone.submits(t, held, next)
	c := alone.joins(t)
	told := revocation(claims(t, c))
	p.Cut()
	got := make(chan executor.Lease, 1)
	go func() {
		l, _ := c.Claim(t.Context(), executor.Ended{})
		got <- l
	}()
	alone.until(t, func() bool { return alone.sent(func(p *pending) bool { return p.Claim != 0 }) })
	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	p.Mend()
	l := <-got
	require.Equal(t, next.ID, l.Record().ID)
	alone.sees(t, held.ID, schema.Failed) // what was given up is settled by then
	require.NoError(t, finishes(l))
	alone.sees(t, next.ID, schema.Completed)
}

// The clock that measures stands still while a machine sleeps. The other one does not, and tells that
// the leases are over.
func TestMachineThatHasSleptGivesItsLeasesUp(t *testing.T) {
	t.Parallel()
	s := opens(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease})
	s.submits(t, newTask())
	l := claims(t, s.joins(t))
	told := revocation(l)
	s.mu.Lock()
	s.lastContact.wall = s.lastContact.wall.Add(-longLease)
	s.mu.Unlock()
	s.beatOnce()
	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(l), executor.ErrLeaseLost)
	s.sees(t, l.Record().ID, schema.Failed)
}

// A machine whose clock is minutes off says so once. What it does is at the time of the servers.
func TestClockThatIsOffIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	said := make(chan answer, 1)
	require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(a answer) { // by the goroutine that applies
		for range 3 {
			s.contact(schema.Now() - schema.Time((5 * time.Minute).Microseconds()))
		}
		said <- a
	}}))
	<-said
	one := newTask()
	s.submits(t, one)
	l := claims(t, s.joins(t))
	require.NoError(t, finishes(l))
	r, err := s.Get(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, schema.Completed, r.State)
	require.NoError(t, s.Close())
	require.Equal(t, 1, strings.Count(log.String(), "the clock of this machine is not that of the NATS servers"), log.String())
	require.Contains(t, log.String(), "ahead=5m0s")
}

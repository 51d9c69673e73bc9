package nats

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
	var log bytes.Buffer
	s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.submits(t, newTask())
	l := claims(t, s.joins(t))
	told := revocation(l)
	s.mu.Lock()
	s.leaseFrom.wall = s.leaseFrom.wall.Add(-longLease)
	s.mu.Unlock()
	s.beatOnce()
	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(l), executor.ErrLeaseLost)
	s.sees(t, l.Record().ID, schema.Failed)
	require.NoError(t, s.Close())
	lost, back := strings.Index(log.String(), "nothing of this process was recorded"), strings.Index(log.String(), "what this process writes is recorded again")
	require.True(t, 0 <= lost && lost < back, log.String())
}

// A machine whose clock is minutes off says so once. What it does is at the time of the servers.
func TestClockThatIsOffIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := open(t, Options{Address: clusterOf(t, 1).namespace(t), Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	said := make(chan answer, 1)
	require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(a answer) { // by the goroutine that applies
		for range 3 {
			s.noteContact(schema.Now() - schema.Time((5 * time.Minute).Microseconds()))
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

// A process that was given up while something large of it was under way comes back, and does it.
func TestGivenUpProcessComesBackWithALargeChange(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	silent, lives := opens(t, Options{Address: through, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	p.Cut()
	large := newTask(func(s *executor.Submission) { s.Input = fmt.Appendf(nil, "%q", strings.Repeat("x", 2*maxPiece)) })
	said := make(chan error, 1)
	go func() {
		_, err := silent.Submit(t.Context(), []executor.Submission{large})
		said <- err
	}()
	silent.until(t, func() bool { return silent.sent(func(p *pending) bool { return p.Submit != nil }) })
	lives.fence(t, silent.self)
	p.Mend()
	require.NoError(t, <-said)
	lives.sees(t, large.ID, schema.Queued)
}

// A stream that is made anew under a process is not taken for the one that it has read. Who starts
// then is not disturbed.
func TestStreamThatIsMadeAnewIsNoticed(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	s.submits(t, newTask(), newTask())
	js := s.journal.(*streamJournal).js
	require.NoError(t, js.DeleteStream(t.Context(), at.StreamName()))
	_, err := Init(t.Context(), at, Credentials{}, Namespace{})
	require.NoError(t, err)
	comes := opens(t, Options{Address: at, Lease: longLease})
	require.Eventually(t, s.isBroken, patience, time.Millisecond)
	require.Contains(t, s.Info().Fault, "was made anew")
	_, err = s.Submit(t.Context(), []executor.Submission{newTask()})
	require.ErrorIs(t, err, executor.ErrStoreUnavailable)
	one := newTask()
	comes.submits(t, one)
	require.NoError(t, finishes(claims(t, comes.joins(t))))
	counts, err := comes.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.TaskCounts{Completed: 1}, counts.TaskCounts)
}

// A log that was cut, as by a power failure of servers that do not sync, is not taken for the one that
// a process has read, even where others have written to it since.
func TestLogThatWasCutIsNoticed(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]schema.Time{"it ends early": 0, "others have written": 7} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(Options{Lease: longLease, Logger: slog.New(slog.DiscardHandler)})
				s.applied.Store(3)
				s.appliedAt = 5
				s.journal = cutLog{last}
				require.ErrorIs(t, s.follow(t.Context()), errLogAnew)
			})
		})
	}
}

// cutLog ends before what was read of it, or has another entry in its place, which came at a time.
type cutLog struct{ at schema.Time }

func (cutLog) write([]byte) error { return nil }
func (cutLog) close()             {}
func (cutLog) stop()              {}

func (l cutLog) read(context.Context, uint64) (entries, error) {
	if l.at == 0 {
		return nil, errLogBehind
	}
	return l, nil
}

func (l cutLog) next(context.Context) (entry, error) { return entry{sequence: 3, at: l.at}, nil }

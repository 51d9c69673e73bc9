package nats

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// strays lets the copy of a store know a task that no entry has made.
func (s *Store) strays(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(answer) {
		_, err := s.machine.tasks.Submit(t.Context(), []executor.Submission{newTask()})
		done <- err
	}}))
	require.NoError(t, <-done)
}

// endsAsDiffering waits until a store has ended because its copy differs.
func (s *Store) endsAsDiffering(t *testing.T) {
	t.Helper()
	require.Eventually(t, s.isBroken, patience, time.Millisecond)
	require.Contains(t, s.Info().Fault, "the copy of this process differs from that of")
	require.ErrorContains(t, <-s.Failed(), "the copy of this process differs from that of", "a server ends with that")
	_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
	require.ErrorIs(t, err, executor.ErrStoreUnavailable)
}

// Of processes whose copies differ those end that are fewer, whichever came first, and the others go on.
func TestFewerThatDifferEnd(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	o := Options{Address: at, Lease: 2 * time.Second}
	differs, one, other := open(t, o), open(t, o), open(t, o)
	differs.submits(t, newTask())
	differs.strays(t)
	differs.endsAsDiffering(t)
	require.NoError(t, differs.Close())
	require.Eventually(t, func() bool { return peersOf(t, one) == 2 && !one.machine.anyDiffers() }, patience, 10*time.Millisecond)
	again := open(t, o) // what the other has said is in the log
	again.submits(t, newTask())
	for _, s := range []*Store{one, other, again} {
		require.Empty(t, s.Info().Fault)
		require.NoError(t, s.Close())
	}
}

// Of two processes whose copies differ the one ends that came later.
func TestNewerOfTwoThatDifferEnds(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	o := Options{Address: at, Lease: 2 * time.Second}
	one, other := open(t, o), open(t, o)
	one.submits(t, newTask())
	other.strays(t)
	other.endsAsDiffering(t)
	require.Empty(t, one.Info().Fault)
	require.NoError(t, one.Close())
	require.NoError(t, other.Close())
}

// Who ends is decided when enough is known, and a driver has no part in it.
func TestWhoEnds(t *testing.T) {
	t.Parallel()
	m := newMachine(func() {})
	var all []*peer
	for i, role := range []Role{RoleExecutor, RoleExecutor, RoleExecutor, RoleDriver} {
		all = append(all, m.meet(uuid.New(), hello{Role: role}, schema.Time(i+1)))
	}
	differ := func(numbers ...int) bool {
		for _, p := range all {
			p.differs = false
		}
		for _, n := range numbers {
			require.True(t, m.markDiffering(all[n]))
			require.False(t, m.markDiffering(all[n]))
		}
		return m.outvoted()
	}
	require.False(t, differ(0), "one of three")
	require.False(t, differ(1))
	require.True(t, differ(0, 1))
	require.True(t, differ(1, 2))
	m.remove(all[2])
	require.True(t, differ(0), "the first of two")
	require.False(t, differ(1), "the second of two")
	m.remove(all[1])
	require.True(t, differ(0), "this process is a driver or a viewer")
}

// A digest that came before a process did is not compared, whoever wrote it: nobody could start any more.
func TestDigestsBeforeAStartAreNotCompared(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	conn, err := Dial(at, Credentials{})
	require.NoError(t, err)
	defer conn.Close()
	differs := uuid.New()
	for number, c := range []change{{Hello: &hello{Name: "differs", Lease: int64(time.Hour), Rules: rulesVersion}}, {Beat: true}, {Beat: true, Seen: &entryDigest{Entry: 2, Digest: 1}}, {Leave: true}} {
		text, err := encode([]change{c})
		require.NoError(t, err)
		require.NoError(t, conn.Publish(at.subject(RoleExecutor), append(head{writer: differs, number: uint64(number) + 1}.append(nil), text...)))
	}
	require.NoError(t, conn.Flush())
	for range 2 {
		s := open(t, Options{Address: at, Lease: longLease})
		s.submits(t, newTask())
		require.GreaterOrEqual(t, s.applied.Load(), uint64(5))
		require.Empty(t, s.Info().Fault)
		require.NoError(t, s.Close())
	}
}

func (s *Store) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken != nil
}

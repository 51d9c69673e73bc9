package nats

import (
	"errors"
	"log/slog"
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

// straysFirst is strays, after which the other process is the first to say what it knows.
func (s *Store) straysFirst(t *testing.T, other *Store) {
	t.Helper()
	s.applying.Lock()
	_, err := s.machine.tasks.Submit(t.Context(), []executor.Submission{newTask()})
	s.applying.Unlock()
	require.NoError(t, err)
	for range 2 { // the second says what it knew at the first
		other.mu.Lock()
		seen := other.seen
		other.mu.Unlock()
		done := make(chan struct{})
		require.NoError(t, other.put(&pending{change: change{Beat: true, Seen: &seen}, done: func(answer) { close(done) }}))
		<-done
	}
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

// Of two processes whose copies differ the one ends that has the damaged copy, whichever came first.
func TestDamagedOfTwoEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damaged    int // 0 came first
		otherTells bool
	}{"the first": {0, false}, "the second": {1, false}, "the first, and the other tells first": {0, true}, "the second, and the other tells first": {1, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Address: clusterOf(t, 1).namespace(t), Lease: 2 * time.Second}
			both := []*Store{open(t, o), open(t, o)}
			bad, good := both[c.damaged], both[1-c.damaged]
			good.submits(t, newTask())
			if c.otherTells {
				bad.straysFirst(t, good)
			} else {
				bad.strays(t)
			}
			bad.endsAsDiffering(t)
			require.NoError(t, bad.Close())
			again := open(t, o)
			again.submits(t, newTask())
			require.Equal(t, good.digest(t), again.digest(t))
			for _, s := range []*Store{good, again} {
				require.Empty(t, s.Info().Fault)
				require.NoError(t, s.Close())
			}
		})
	}
}

// A tie ends where a process knows that its copy is the wrong one, and else by who came first, after a while where it has found
// its copy right.
func TestTieIsSettled(t *testing.T) {
	t.Parallel()
	found := errors.New("it differs")
	for _, c := range []struct {
		name    string
		self    int // 0 came first
		verdict *verdict
		want    error
	}{
		{"the log is read again", 1, nil, nil},
		{"wrong", 0, &verdict{isWrong: true}, found},
		{"right", 1, &verdict{isRight: true, at: time.Now()}, nil},
		{"right, and the first does not end", 1, &verdict{isRight: true}, found},
		{"right, and the second does not end", 0, &verdict{isRight: true}, nil},
		{"nobody knows, the second", 1, &verdict{}, found},
		{"nobody knows, the first", 0, &verdict{}, nil},
	} {
		s := newStore(Options{Lease: time.Hour})
		all := []*peer{s.machine.meet(uuid.New(), hello{Role: RoleExecutor}, 1), s.machine.meet(uuid.New(), hello{Role: RoleExecutor}, 2)}
		s.machine.markDiffering(all[1-c.self])
		require.NoError(t, s.settleTie(), "it is in none")
		s.tie = &tie{found: found}
		s.tie.verdict.Store(c.verdict)
		require.Equal(t, c.want, s.settleTie(), c.name)
		if c.verdict == nil || !c.verdict.isWrong {
			third := s.machine.meet(uuid.New(), hello{Role: RoleExecutor}, 3)
			require.NoError(t, s.settleTie(), c.name)
			require.Nil(t, s.tie, "it is no tie any more, though they still differ")
			s.machine.remove(third)
			s.tie = &tie{found: found}
			s.tie.verdict.Store(c.verdict)
			require.Equal(t, c.want, s.settleTie(), "the log is read again in a new tie")
		}
		if c.verdict != nil && !c.verdict.isWrong {
			s.machine.remove(all[1-c.self])
			require.NoError(t, s.settleTie(), c.name)
			require.Nil(t, s.tie, "the other has ended")
		}
		require.NoError(t, s.machine.tasks.Close())
	}
}

// A driver does not read the log again for executors that differ: there may be very many.
func TestDriversDecideNoTie(t *testing.T) {
	t.Parallel()
	s := newStore(Options{Role: RoleDriver, Logger: slog.New(slog.DiscardHandler)})
	one := s.machine.meet(uuid.New(), hello{Role: RoleExecutor}, 1)
	s.machine.meet(uuid.New(), hello{Role: RoleExecutor}, 2)
	require.NoError(t, s.handleMismatch(one, 7))
	_, tied := s.machine.vote()
	require.True(t, tied)
	require.Nil(t, s.tie)
	require.NoError(t, s.machine.tasks.Close())
}

// Who ends is decided when enough is known, and a driver has no part in it.
func TestWhoEnds(t *testing.T) {
	t.Parallel()
	m := newMachine(func() {})
	var all []*peer
	for i, role := range []Role{RoleExecutor, RoleExecutor, RoleExecutor, RoleDriver} {
		all = append(all, m.meet(uuid.New(), hello{Role: role}, schema.Time(i+1)))
	}
	var outvoted, tied bool
	differ := func(numbers ...int) {
		for _, p := range all {
			p.differs = false
		}
		for _, n := range numbers {
			require.True(t, m.markDiffering(all[n]))
			require.False(t, m.markDiffering(all[n]))
		}
		outvoted, tied = m.vote()
	}
	is := func(wantOutvoted, wantTied, wantFirst bool) {
		t.Helper()
		require.Equal(t, []bool{wantOutvoted, wantTied, wantFirst}, []bool{outvoted, tied, m.firstDiffers()})
	}
	differ(0)
	is(false, false, true)
	differ(1)
	is(false, false, false)
	differ(0, 1)
	is(true, false, true)
	differ(1, 2)
	is(true, false, false)
	m.remove(all[2])
	differ(0)
	is(false, true, true)
	differ(1)
	is(false, true, false)
	m.remove(all[1])
	differ(0) // this process is a driver or a viewer
	is(true, false, true)
	m.remove(all[0])
	outvoted, tied = m.vote()
	is(false, false, false)
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

package nats

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// someTurns are processes with so many claims that wait, and so many tasks for them.
func someTurns(tasks int, waiting ...int) (t *turns, peers []uuid.UUID) {
	t = &turns{offers: func(executor.Claimer) bool { return true }, minTimeout: turnTimeout, claimTimeout: turnTimeout}
	for _, n := range waiting {
		id := uuid.New()
		peers = append(peers, id)
		for range n {
			t.claimed(id, 1, nil, false, false)
		}
	}
	t.noteReady(uint64(tasks), tasks)
	return t, peers
}

func (t *turns) dues(peers []uuid.UUID) (all []int) {
	for _, p := range peers {
		all = append(all, t.claimsDue(p))
	}
	return all
}

// Tasks are for the processes in which most claims wait, and no task is for two of them.
func TestTasksAreForTheProcessWithMostRoom(t *testing.T) {
	for _, of := range []struct {
		tasks          int
		waiting, wants []int
	}{
		{1, []int{2, 2, 2}, []int{1, 0, 0}},
		{1, []int{2, 3, 2}, []int{0, 1, 0}},
		{3, []int{2, 2, 2}, []int{1, 1, 1}},
		{4, []int{1, 5, 2}, []int{0, 4, 0}},
		{9, []int{1, 5, 2}, []int{1, 5, 2}},
		{2, []int{0, 1, 0}, []int{0, 1, 0}},
	} {
		all, peers := someTurns(of.tasks, of.waiting...)
		require.Equal(t, of.wants, all.dues(peers), of)
	}
	all, peers := someTurns(0, 4, 2)
	require.Equal(t, 2, all.share(peers[0], 2))
	require.Equal(t, 3, all.share(peers[0], 4))
	require.Equal(t, 1, all.share(peers[1], 4))
}

// A process that does not claim what is for it loses its turn, and has it again when it claims.
func TestTurnOfAStoppedProcessIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, peers := someTurns(1, 3, 1, 1)
		require.Equal(t, []int{1, 0, 0}, all.dues(peers))
		time.Sleep(turnTimeout - time.Nanosecond)
		require.Equal(t, []int{1, 0, 0}, all.dues(peers))
		time.Sleep(time.Nanosecond)
		require.Equal(t, 1, all.claimsDue(peers[1]))
		require.Equal(t, 0, all.claimsDue(peers[2]))
		time.Sleep(turnTimeout)
		require.Equal(t, 1, all.claimsDue(peers[2]), "the second has stopped, too")
		all.claimed(peers[0], 1, nil, true, false)
		require.Equal(t, 0, all.claimsDue(peers[2]))
		all.remove(peers[0])
		require.Equal(t, 1, all.claimsDue(peers[2]))
	})
}

// Where the log is slow a turn lasts longer, so that not all processes claim after all.
func TestTurnsLastLongerWhereTheLogIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, peers := someTurns(1, 2, 1)
		all.noteTrip(200 * time.Millisecond)
		require.Equal(t, []int{1, 0}, all.dues(peers))
		time.Sleep(tripsPerTurn*200*time.Millisecond - time.Nanosecond)
		require.Equal(t, []int{1, 0}, all.dues(peers))
		time.Sleep(time.Nanosecond)
		require.Equal(t, 1, all.claimsDue(peers[1]))
	})
}

// counted is a store in which no turn is lost because a machine is slow.
func counted(t *testing.T, at Address) *Store {
	s := open(t, Options{Address: at, Lease: longLease})
	s.machine.turns.mu.Lock()
	s.machine.turns.minTimeout = longLease
	s.machine.turns.mu.Unlock()
	s.machine.turns.noteTrip(0)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// claimsInLog counts the claims of a namespace that had waited.
func (s *Store) claimsInLog(t *testing.T) (n int) {
	last := s.applied.Load()
	entries, err := s.journal.read(t.Context(), 1)
	require.NoError(t, err)
	defer entries.stop()
	for {
		e, err := entries.next(t.Context())
		require.NoError(t, err)
		_, text, ok := headOf(e.piece)
		require.True(t, ok)
		changes, err := decode(text)
		require.NoError(t, err)
		for _, c := range changes {
			if c.Claim != 0 && c.Again {
				n++
			}
		}
		if e.sequence >= last {
			return n
		}
	}
}

// Where claims wait in four processes, a task that comes to one of them, or to a fifth, is claimed once.
func TestOneProcessClaimsATask(t *testing.T) {
	t.Parallel()
	const slots, tasks = 2, 60
	at := clusterOf(t, 1).namespace(t)
	asked := counted(t, at)
	ran := make(chan uuid.UUID)
	submitters := []*Store{asked}
	for range 4 {
		s := counted(t, at)
		submitters = append(submitters, s)
		c := s.joins(t)
		for range slots {
			go func() {
				for {
					l, err := c.Claim(t.Context(), executor.Ended{})
					if err != nil {
						return
					}
					_ = finishes(l)
					ran <- l.Record().ID
				}
			}()
		}
	}
	for _, s := range submitters[1:] {
		s.allWait(t, slots)
	}
	for n := range tasks {
		one := newTask()
		by := submitters[n%len(submitters)]
		by.submits(t, one)
		require.Equal(t, one.ID, <-ran)
		asked.sees(t, one.ID, schema.Completed)
	}
	again := asked.claimsInLog(t)
	require.Less(t, again-tasks, tasks*3/10, "claims that got nothing")
}

// allWait waits until so many claims of a process wait.
func (s *Store) allWait(t *testing.T, claims int) {
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.waiting) == claims
	}, patience, time.Millisecond)
}

// A submit takes a claim that waits along: what it got is known when the submit is.
func TestSubmitTakesAClaimAlong(t *testing.T) {
	t.Parallel()
	s := counted(t, clusterOf(t, 1).namespace(t))
	c := s.joins(t)
	got := make(chan executor.Lease, 1)
	go func() {
		l, _ := c.Claim(t.Context(), executor.Ended{})
		got <- l
	}()
	s.allWait(t, 1)
	before := s.applied.Load()
	one := newTask()
	s.submits(t, one)
	l := <-got
	require.Equal(t, one.ID, l.Record().ID)
	require.LessOrEqual(t, s.applied.Load(), before+1, "entries of the log")
	require.NoError(t, finishes(l))
}

// A task that is for a process which has stopped is claimed by another.
func TestTaskForAStoppedProcessIsClaimed(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	stops, lives := open(t, Options{Address: through, Lease: longLease}), open(t, Options{Address: at, Lease: longLease})
	asked := open(t, Options{Address: at, Lease: longLease})
	c := stops.joins(t)
	for range 2 {
		go func() { _, _ = c.Claim(t.Context(), executor.Ended{}) }()
	}
	stops.allWait(t, 2)
	p.Cut()
	got, c := make(chan executor.Lease, 1), lives.joins(t)
	go func() {
		l, _ := c.Claim(t.Context(), executor.Ended{})
		got <- l
	}()
	lives.allWait(t, 1)
	one := newTask()
	asked.submits(t, one)
	l := <-got
	require.Equal(t, one.ID, l.Record().ID)
	require.NoError(t, finishes(l))
	p.Mend()
	for _, s := range []*Store{asked, lives, stops} {
		require.NoError(t, s.Close())
	}
}

// Claims that wait in a process that the others have given up are made again.
func TestClaimsThatWaitOutliveAFence(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	silent, lives := counted(t, at), counted(t, at)
	c := silent.joins(t)
	got := make(chan executor.Lease, 1)
	go func() {
		l, _ := c.Claim(t.Context(), executor.Ended{})
		got <- l
	}()
	silent.allWait(t, 1)
	lives.fence(t, silent.self)
	one := newTask()
	lives.submits(t, one)
	l := <-got
	require.Equal(t, one.ID, l.Record().ID)
	require.NoError(t, finishes(l))
}

package nats

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// sharedLog is a log on which nothing goes wrong, for processes of several versions.
type sharedLog struct {
	*testing.T
	log    *simLog
	logger *slog.Logger
}

// withSharedLog calls f with a log, in a bubble of time.
func withSharedLog(t *testing.T, f func(*testing.T, sharedLog)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newSimLog(1)
		log.calm = true
		t.Cleanup(func() { time.Sleep(simLease) }) // for what is still on its way
		f(t, sharedLog{t, log, slog.New(slog.DiscardHandler)})
	})
}

// tries opens a store with a version of the rules.
func (l sharedLog) tries(rules int, r Role, cut *simCut) (*Store, error) {
	s := newStore(Options{Address: Address{Namespace: "builds"}, Name: fmt.Sprintf("%s-%d", r, rules), Lease: simLease, Role: r, Logger: l.logger})
	journal, shelf := l.log.of(0, cut, r)
	s.journal, s.snapshotStore, s.pieceBytes, s.snapshotBytes, s.rules = journal, shelf, 700, simSnapshotBytes, rules
	l.Cleanup(func() { require.NoError(l, s.Close()) })
	require.NoError(l, s.load(l.Context()))
	if s.backlog = l.log.length(); s.backlog <= s.applied.Load() {
		close(s.backlogRead)
	}
	return s, s.begin(l.Context())
}

func (l sharedLog) opens(rules int, r Role) *Store {
	l.Helper()
	s, err := l.tries(rules, r, new(simCut))
	require.NoError(l, err)
	return s
}

// refuses says that a process does not come, and names the versions of the rules, and an executor that lives.
func (l sharedLog) refuses(rules int, r Role, there int, by string) {
	l.Helper()
	_, err := l.tries(rules, r, new(simCut))
	var other *rulesError
	require.ErrorAs(l, err, &other)
	require.Equal(l, []int{rules, there}, []int{other.mine, other.there})
	require.ErrorContains(l, err, "end all servers of the namespace, and start them with one version of jobline")
	require.ErrorContains(l, err, by)
}

// lives says that a store can record.
func (l sharedLog) lives(all ...*Store) {
	l.Helper()
	for _, s := range all {
		s.submits(l.T, newTask())
		require.Empty(l, s.Info().Fault)
	}
}

// A process with other rules than those that there are ends, and those go on. It comes when they have left.
func TestOtherRulesAreRefused(t *testing.T) {
	withSharedLog(t, func(t *testing.T, l sharedLog) {
		one, other := l.opens(1, RoleExecutor), l.opens(1, RoleExecutor)
		for _, r := range Roles {
			began := time.Now()
			l.refuses(2, r, 1, "executor-1 at ")
			require.Less(t, time.Since(began), simLease)
			l.lives(one, other)
		}
		require.Equal(t, 2, peersOf(t, one), "nothing is left of them")
		require.NoError(t, other.Close())
		l.refuses(2, RoleExecutor, 1, "executor-1 at ")
		looks, drives := l.opens(1, RoleViewer), l.opens(1, RoleDriver)
		require.NoError(t, one.Close())

		l.refuses(2, RoleDriver, 1, "its executors had version 1")
		l.refuses(2, RoleViewer, 1, "its executors had version 1")
		next := l.opens(2, RoleExecutor)
		for _, s := range []*Store{looks, drives} {
			require.ErrorContains(t, <-s.Failed(), "version 1 of the rules of a queue, and in the namespace builds executor-2 at ")
			require.NoError(t, s.Close())
		}
		l.lives(next, l.opens(2, RoleDriver))
		require.Equal(t, 2, next.machine.rules)
		require.NoError(t, next.makeSnapshot(t.Context()))
		require.NoError(t, next.Close())
		l.refuses(1, RoleDriver, 2, "its executors had version 2")
	})
}

// Executors with other rules that are dead, or cut off, keep a new one waiting for their lease and no longer. One that comes back ends.
func TestDeadExecutorsWithOtherRulesAreTakenOut(t *testing.T) {
	withSharedLog(t, func(t *testing.T, l sharedLog) {
		dead := l.opens(1, RoleExecutor)
		cut := new(simCut)
		cutOff, err := l.tries(1, RoleExecutor, cut)
		require.NoError(t, err)
		task := newTask(again)
		dead.submits(t, task)
		held := claims(t, cutOff.joins(t))
		dead.crash()
		cut.set(true)
		began := time.Now()
		next := l.opens(2, RoleExecutor)
		require.Greater(t, time.Since(began), simLease)
		require.Less(t, time.Since(began), 2*simLease)
		l.lives(next)
		require.Equal(t, 1, peersOf(t, next))
		require.Equal(t, task.ID, claims(t, next.joins(t)).Record().ID, "it was settled")

		cut.set(false)
		require.ErrorContains(t, <-cutOff.Failed(), "executor-2 at ")
		require.ErrorIs(t, finishes(held), executor.ErrLeaseLost)
		require.NoError(t, cutOff.Close())
		l.lives(next)
		require.NoError(t, next.Close())
	})
}

// All copies come to the same of who is admitted, also where they begin with a snapshot, and whatever their own rules are.
func TestCopiesAgreeWhoIsAdmitted(t *testing.T) {
	t.Parallel()
	m := newMachine(func() {})
	admits := func(r Role, rules int, over ...fence) *peer {
		about := hello{Role: r, Rules: rules, Over: over}
		if !m.applyHelloRules(&about) {
			return nil
		}
		return m.meet(uuid.New(), about, schema.Now())
	}
	first := admits(RoleDriver, 1)
	require.NotNil(t, first, "nobody has said what the rules are")
	require.Nil(t, admits(RoleDriver, 2))
	one := admits(RoleExecutor, 2)
	require.NotNil(t, one, "drivers say nothing for executors")
	require.Nil(t, m.peers[first.id])
	require.Nil(t, admits(RoleExecutor, 3, fence{one.id, one.last + 1}), "it has written meanwhile")
	require.Nil(t, admits(RoleDriver, 3, fence{one.id, one.last}), "a driver gives nobody up")
	require.NotNil(t, admits(RoleExecutor, 2, fence{one.id, one.last}))
	require.NotNil(t, m.peers[one.id], "it has the same rules")
	require.NotNil(t, admits(RoleDriver, 2))
}

package nats

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// opensOver opens a store on a journal in memory.
func opensOver(t *testing.T, j *slowJournal) *Store {
	s := newStore(Options{Lease: longLease, Logger: slog.New(slog.DiscardHandler)})
	none := newSimLog(0)
	none.calm = true
	_, shelf := none.of(0, new(simCut), RoleExecutor)
	s.journal, s.snapshotStore, s.pieceBytes, s.snapshotBytes = j, shelf, maxPiece, snapshotBytes
	close(s.backlogRead)
	require.NoError(t, s.begin(t.Context()))
	return s
}

// beats counts the entries that say nothing but that time passes.
func (j *slowJournal) beats(t *testing.T) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.log {
		_, text, _ := headOf(e.piece)
		changes, err := decode(text)
		require.NoError(t, err)
		for _, c := range changes {
			if c.Beat {
				n++
			}
		}
	}
	return n
}

// When a task becomes due, one process of four says that time has passed. It is the first that is there.
func TestOneProcessSaysThatTimeHasPassed(t *testing.T) {
	for _, stopped := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			silent := map[uuid.UUID]bool{}
			j := newSlowJournal(5*time.Millisecond, func(h head, _ int) bool { return silent[h.writer] })
			var all []*Store
			for range 4 {
				all = append(all, opensOver(t, j))
				time.Sleep(time.Second)
			}
			due := schema.Now() + schema.Time((patience / 2).Microseconds())
			last := all[len(all)-1]
			one := newTask(func(s *executor.Submission) { s.Conditions = &schema.Conditions{RunAt: due} })
			last.submits(t, one)
			j.mu.Lock()
			for _, s := range all[:stopped] {
				silent[s.self] = true
			}
			j.mu.Unlock()
			before := j.beats(t)
			l := claims(t, last.joins(t))
			require.Equal(t, before+1, j.beats(t))
			require.Equal(t, one.ID, l.Record().ID)
			require.LessOrEqual(t, int64(l.Record().StartedAt-due), (time.Duration(stopped)*tickStep + 20*time.Millisecond).Microseconds())
			require.NoError(t, finishes(l))
			clear(silent)
			for _, s := range all {
				require.NoError(t, s.Close())
			}
		})
	}
}

// A store that is closed says nothing more about the time.
func TestNothingIsDueBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
		s.journal, s.end, s.begun = newSlowJournal(0, nil), func() {}, true
		s.machine.meet(uuid.New(), hello{}, 1)
		s.machine.meet(s.self, hello{}, 2)
		s.tick()
		timer := s.tickTimer
		s.tick()
		require.Same(t, timer, s.tickTimer, "one says it for all")
		s.machine.beats.Add(1)
		s.tick()
		require.NotSame(t, timer, s.tickTimer)
		require.False(t, timer.Stop())
		timer = s.tickTimer
		s.stop()
		require.False(t, timer.Stop())
	})
}

// What nobody says within a moment a process says that did not come first.
func TestAnotherProcessSaysThatTimeHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
		s.begun = true
		s.machine.meet(uuid.New(), hello{}, 1)
		s.machine.meet(s.self, hello{}, 2)
		s.tick()
		time.Sleep(tickStep)
		synctest.Wait()
		require.Len(t, s.queue, 1)
		require.Nil(t, s.tickTimer)
		s.tick()
		s.machine.beats.Add(1)
		time.Sleep(tickStep)
		synctest.Wait()
		require.Len(t, s.queue, 1, "another one has said it")
		require.NoError(t, s.machine.tasks.Close())
	})
}

// What is due while a store begins with a snapshot is said behind its first message: by that the others meet it.
func TestStartWhileSomethingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newSimLog(1)
		log.calm = true
		loads := func() *Store {
			s := newStore(Options{Lease: longLease, Logger: slog.New(slog.DiscardHandler)})
			journal, shelf := log.of(0, new(simCut), RoleExecutor)
			s.journal, s.snapshotStore, s.pieceBytes, s.snapshotBytes = journal, shelf, maxPiece, snapshotBytes
			require.NoError(t, s.load(t.Context()))
			if s.backlog = log.length(); s.backlog <= s.applied.Load() {
				close(s.backlogRead)
			}
			return s
		}
		first := loads()
		require.NoError(t, first.begin(t.Context()))
		one := newTask(func(s *executor.Submission) {
			s.Conditions = &schema.Conditions{RunAt: schema.Now() + schema.Time(time.Minute.Microseconds())}
		})
		first.submits(t, one)
		first.makes(t)
		require.NoError(t, first.Close())
		next := loads()
		time.Sleep(time.Minute) // it is due now
		require.NoError(t, next.begin(t.Context()))
		require.Equal(t, one.ID, claims(t, next.joins(t)).Record().ID)
		require.NoError(t, next.Close())
	})
}

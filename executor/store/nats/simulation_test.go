package nats

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// JOBLINE_SIMULATIONS is how many simulations of a bad network there are, JOBLINE_SIMULATION_SEED
// the seed of the first.
const simulationsEnv, simulationSeedEnv = "JOBLINE_SIMULATIONS", "JOBLINE_SIMULATION_SEED"

const (
	simProcesses = 3
	simTasks     = 40 // of each process
	simLease     = 6 * time.Second
	// simSnapshotBytes is so little that there are several snapshots.
	simSnapshotBytes = 8 << 10
)

// TestSimulations lets several processes work on a log whose network loses, delays, repeats and
// reorders all that is on it. In the end all know the same, each change has been made once, and
// everybody was told the truth, or that it is not known.
func TestSimulations(t *testing.T) {
	count, err := strconv.Atoi(os.Getenv(simulationsEnv))
	if err != nil {
		count = 20
	}
	first, err := strconv.ParseUint(os.Getenv(simulationSeedEnv), 10, 64)
	if err != nil {
		first = rand.Uint64() >> 1
	}
	counts := &simCounts{of: map[string]int{}}
	for i := range count {
		seed := first + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { simulate(t, seed, counts) }) }) {
			t.Logf("%s=1 %s=%d go test ./executor/store/nats -run TestSimulations", simulationsEnv, simulationSeedEnv, seed)
			return
		}
	}
	t.Log(counts.of)
	if count >= 6 {
		require.Greater(t, counts.of["a snapshot of the store is made"], count)
		require.Positive(t, counts.of["a snapshot of the store is read"])
	}
}

// simCounts is how often something was logged.
type simCounts struct {
	mu sync.Mutex
	of map[string]int
}

func (*simCounts) Enabled(context.Context, slog.Level) bool { return true }
func (c *simCounts) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c *simCounts) WithGroup(string) slog.Handler          { return c }

func (c *simCounts) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[r.Message]++
	return nil
}

// simulation is what the processes have done, and were told.
type simulation struct {
	*testing.T
	seed   uint64
	log    *simLog
	logger *slog.Logger
	stop   context.Context
	works  sync.WaitGroup
	cuts   []*simCut

	mu     sync.Mutex
	starts uint64 // of processes
	stores []*Store
	died   map[*Store]time.Time
	dying  [simProcesses]bool // it dies, or begins anew
	tasks  []*simTask
	runs   map[uuid.UUID][]*simRun
}

// simTask is a task that somebody has submitted.
type simTask struct {
	executor.Submission
	made      int  // answers that it is new
	there     bool // it was answered
	refused   bool // it was told that nothing was done
	unknown   bool // it was told that nobody knows
	cancelled bool // it was told that it was cancelled before it began
}

// simRun is a run of a task.
type simRun struct {
	by      *Store
	began   time.Time
	over    time.Time // when it did no more; zero where its process died before
	attempt int32
	lines   int
	end     error // what its end was answered
	ended   bool  // that was answered
	lost    bool  // it was told that its lease is lost
}

func simulate(t *testing.T, seed uint64, counts *simCounts) {
	stop, end := context.WithCancel(t.Context())
	s := &simulation{T: t, seed: seed, log: newSimLog(seed), logger: slog.New(counts), stop: stop, died: map[*Store]time.Time{}, runs: map[uuid.UUID][]*simRun{}, stores: make([]*Store, simProcesses)}
	t.Cleanup(func() { // in the bubble
		end()
		s.quiet()
		for n, one := range s.stores {
			if n < simProcesses {
				s.cuts[n].set(false)
			}
			assert.NoError(t, one.Close())
		}
		time.Sleep(4 * simLease) // for what is still on its way
	})
	for range simProcesses {
		s.cuts = append(s.cuts, new(simCut))
	}
	var submitting sync.WaitGroup
	for n := range simProcesses {
		s.begin(n)
		submitting.Go(func() { s.submitAll(n) })
	}
	s.disturb()
	submitting.Wait()
	s.quiet()
	s.settle()
	end()
	s.works.Wait()
	s.check()
}

// joinLog opens a store on the log. number is one of its start.
func (s *simulation) joinLog(number uint64, cut *simCut) *Store {
	for try := uint64(0); ; try++ {
		one := newStore(Options{Lease: simLease, Name: "sim", Logger: s.logger})
		journal, shelf := s.log.of(number<<10+try, cut, RoleExecutor)
		shelf.purges = func(before uint64) { s.checkPurge(one, before) }
		one.journal, one.snapshotStore, one.pieceBytes, one.snapshotBytes = journal, shelf, 700, simSnapshotBytes
		backlog := s.log.length()
		if one.load(context.Background()) != nil {
			assert.NoError(s, one.machine.tasks.Close())
			continue
		}
		if one.backlog = backlog; one.backlog <= one.applied.Load() {
			close(one.backlogRead)
		}
		if one.begin(context.Background()) == nil {
			return one
		}
	}
}

// ways are the numbers of choices that are not those of a journal.
const (
	waySubmits uint64 = 1<<40 + iota<<32
	wayWorks
	wayDisturbs
)

// dies lets a process die and begin anew, unless that happens already.
func (s *simulation) dies(n int, one *Store) {
	s.mu.Lock()
	dies := s.stores[n] == one && !s.dying[n]
	if s.dying[n] = s.dying[n] || dies; dies {
		s.died[one] = time.Now() // from here on it does nothing, though what it waits for may take long
	}
	s.mu.Unlock()
	if !dies {
		return
	}
	one.crash()
	s.begin(n)
	s.mu.Lock()
	s.dying[n] = false
	s.mu.Unlock()
}

// begin lets a process work.
func (s *simulation) begin(n int) {
	start := func() (uint64, *Store) {
		s.mu.Lock()
		s.starts++
		number := s.starts
		s.mu.Unlock()
		return number, s.joinLog(number, s.cuts[n])
	}
	number, one := start()
	c, err := one.Join(s.stop, executor.Offer{})
	for err != nil {
		if one.isBroken() {
			one.crash()
			number, one = start()
		}
		time.Sleep(time.Second)
		c, err = one.Join(s.stop, executor.Offer{})
	}
	s.mu.Lock()
	s.stores[n] = one
	s.mu.Unlock()
	for w := range uint64(2) {
		chance := s.log.chance(wayWorks + number*2 + w)
		s.works.Go(func() { s.claimAll(one, c, chance) })
	}
	s.works.Go(func() {
		select {
		case err := <-one.Failed():
			assert.ErrorIs(s, err, errLogGap)
			s.dies(n, one)
		case <-one.stopped:
		case <-s.stop.Done():
		}
	})
}

func (s *simulation) store(n int) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stores[n]
}

// disturb cuts networks, some of them for longer than a lease, and kills processes.
func (s *simulation) disturb() {
	chance := s.log.chance(wayDisturbs)
	for range 6 {
		n := chance.intN(simProcesses)
		if chance.intN(3) == 0 {
			s.dies(n, s.store(n))
		} else {
			s.cuts[n].set(true)
			time.Sleep(time.Duration(chance.intN(int(2*simLease.Milliseconds()))) * time.Millisecond)
			s.cuts[n].set(false)
			wake(s.store(n).resend)
		}
		if chance.intN(2) == 0 { // beside the one that does so
			_ = s.store(chance.intN(simProcesses)).makeSnapshot(s.stop)
		}
		time.Sleep(time.Duration(chance.intN(2000)) * time.Millisecond)
	}
}

// quiet lets nothing go wrong any more.
func (s *simulation) quiet() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.calm = true
}

// settle waits until all tasks have ended, also those that are still on their way.
func (s *simulation) settle() {
	ended := 0
	for range 600 {
		counts, err := s.store(0).Counts(s.Context())
		switch {
		case err != nil: // it has found a gap, and begins anew
			time.Sleep(time.Second)
		case counts.Queued+counts.Running > 0:
			ended = 0
			time.Sleep(time.Second)
		case ended == 1:
			return
		default:
			ended++
			time.Sleep(4 * simLease)
		}
	}
	require.Fail(s, "tasks do not end")
}

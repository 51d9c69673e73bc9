package nats

import (
	"context"
	"errors"
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
	"github.com/jobline/jobline/schema"
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
		count = 6
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
	random *rand.Rand
	stores []*Store
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
	attempt int32
	lines   int
	end     error // what its end was answered
	ended   bool  // that was answered
	lost    bool  // it was told that its lease is lost
}

func simulate(t *testing.T, seed uint64, counts *simCounts) {
	stop, end := context.WithCancel(t.Context())
	s := &simulation{T: t, seed: seed, log: newSimLog(seed), logger: slog.New(counts), stop: stop, random: rand.New(rand.NewPCG(seed, 2)), runs: map[uuid.UUID][]*simRun{}, stores: make([]*Store, simProcesses)}
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

func (s *simulation) intN(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// joinLog opens a store on the log.
func (s *simulation) joinLog(cut *simCut) *Store {
	for {
		one := newStore(Options{Lease: simLease, Name: "sim", Logger: s.logger})
		one.journal, one.pieceBytes, one.snapshotBytes = &simJournal{s.log, cut, RoleExecutor}, 700, simSnapshotBytes
		one.shelf = &simShelf{s.log, cut, func(before uint64) { s.checkPurge(one, before) }}
		backlog := s.log.length()
		if one.load(context.Background()) != nil {
			assert.NoError(s, one.machine.tasks.Close())
			continue
		}
		if one.backlog = backlog; one.backlog <= one.applied.Load() {
			close(one.read)
		}
		if one.begin(context.Background()) == nil {
			return one
		}
	}
}

// dies lets a process die and begin anew, unless that happens already.
func (s *simulation) dies(n int, one *Store) {
	s.mu.Lock()
	dies := s.stores[n] == one && !s.dying[n]
	s.dying[n] = s.dying[n] || dies
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
	one := s.joinLog(s.cuts[n])
	c, err := one.Join(s.stop, executor.Offer{})
	for err != nil {
		if one.isBroken() {
			one.crash()
			one = s.joinLog(s.cuts[n])
		}
		time.Sleep(time.Second)
		c, err = one.Join(s.stop, executor.Offer{})
	}
	s.mu.Lock()
	s.stores[n] = one
	s.mu.Unlock()
	for range 2 {
		s.works.Go(func() {
			for {
				l, err := c.Claim(s.stop, executor.Ended{})
				if errors.Is(err, executor.ErrClosed) || s.stop.Err() != nil {
					return
				}
				if err == nil {
					s.work(one, l)
				} else {
					time.Sleep(time.Second)
				}
			}
		})
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

// work runs a task: it writes lines, and ends.
func (s *simulation) work(one *Store, l executor.Lease) {
	r := l.Record()
	run := &simRun{attempt: r.Attempt, lines: s.intN(4)}
	s.mu.Lock()
	s.runs[r.ID] = append(s.runs[r.ID], run)
	s.mu.Unlock()
	told := make(chan error, 8)
	l.OnRevoke(func(err error) { told <- err })
	_ = l.Started(1)
	outcome := executor.Outcome{State: schema.Completed, Result: fmt.Appendf(nil, "%d", r.Attempt)}
	for i := range run.lines {
		_ = l.Write(schema.Stdout, fmt.Appendf(nil, "%d.%d\n", r.Attempt, i))
		select {
		case <-time.After(time.Duration(s.intN(200)) * time.Millisecond):
		case err := <-told:
			outcome = executor.Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled, Message: err.Error()}}
			run.lost = errors.Is(err, executor.ErrLeaseLost)
		}
	}
	said := make(chan error, 1)
	l.Finish(outcome, func(err error) { said <- err })
	l.Release()
	select {
	case err := <-said:
		s.mu.Lock()
		run.end, run.ended = err, true
		s.mu.Unlock()
	case <-one.stopped: // the process is dead
	}
}

// submitAll submits the tasks of a process, and cancels some.
func (s *simulation) submitAll(n int) {
	for range simTasks {
		task := &simTask{Submission: newTask()}
		for i := range task.ID {
			task.ID[i] = byte(s.intN(256))
		}
		task.Rerun = s.intN(2) == 0
		if s.intN(4) == 0 {
			task.Conditions = &schema.Conditions{Key: "k"}
		}
		s.mu.Lock()
		s.tasks = append(s.tasks, task)
		s.mu.Unlock()
		for s.submit(s.store(n), task) {
		}
		if s.intN(5) == 0 {
			s.cancel(s.store(n), task)
		}
		time.Sleep(time.Duration(s.intN(300)) * time.Millisecond)
	}
}

// submit submits a task, with more or less patience. It reports whether to do so again.
func (s *simulation) submit(one *Store, task *simTask) bool {
	ctx, end := context.WithTimeout(s.stop, []time.Duration{50 * time.Millisecond, time.Second, time.Minute}[s.intN(3)])
	defer end()
	answers, err := one.Submit(ctx, []executor.Submission{task.Submission})
	switch {
	case errors.Is(err, executor.ErrOutcomeUnknown), errors.Is(err, executor.ErrClosed): // the latter of a process that died
		task.unknown = true
		return s.intN(2) == 0
	case err != nil:
		assert.ErrorIs(s, err, executor.ErrStoreUnavailable)
		task.refused = !task.unknown && !task.there
		return false
	}
	assert.NoError(s, answers[0].Err)
	task.there = true
	if !answers[0].Existing {
		task.made++
	}
	return s.intN(10) == 0
}

func (s *simulation) cancel(one *Store, task *simTask) {
	answers, err := one.Cancel(s.stop, []uuid.UUID{task.ID}, executor.Cancellation{})
	if err == nil && answers[0].Err == nil && answers[0].Outcome == schema.OutcomeCancelled {
		task.cancelled = true
	}
}

// disturb cuts networks, some of them for longer than a lease, and kills processes.
func (s *simulation) disturb() {
	for range 6 {
		n := s.intN(simProcesses)
		if s.intN(3) == 0 {
			s.dies(n, s.store(n))
		} else {
			s.cuts[n].set(true)
			time.Sleep(time.Duration(s.intN(int(2*simLease.Milliseconds()))) * time.Millisecond)
			s.cuts[n].set(false)
			wake(s.store(n).resend)
		}
		if s.intN(2) == 0 { // beside the one that does so
			_ = s.store(s.intN(simProcesses)).makeSnapshot(s.stop)
		}
		time.Sleep(time.Duration(s.intN(2000)) * time.Millisecond)
	}
}

// quiet lets nothing go wrong any more.
func (s *simulation) quiet() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.calm = true
}

// settle waits until all tasks have ended.
func (s *simulation) settle() {
	for range 600 {
		counts, err := s.store(0).Counts(s.Context())
		if err != nil { // it has found a gap, and begins anew
			time.Sleep(time.Second)
			continue
		}
		if counts.Queued+counts.Running == 0 {
			time.Sleep(4 * simLease) // for what is still on its way
			return
		}
		time.Sleep(time.Second)
	}
	require.Fail(s, "tasks do not end")
}

package nats

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

const patience = time.Minute

// shortLease is that of tests that wait until it is over.
const shortLease = 3 * time.Second

func newTask(set ...func(*executor.Submission)) executor.Submission {
	var s executor.Submission
	s.ID, s.Type, s.CreatedAt, s.Input, s.Grace = uuid.New(), "plain", schema.Now(), []byte("{}"), time.Second
	for _, f := range set {
		f(&s)
	}
	return s
}

func again(s *executor.Submission) { s.Rerun = true }

// submits submits tasks that must be new.
func (s *Store) submits(t *testing.T, tasks ...executor.Submission) {
	t.Helper()
	answers, err := s.Submit(t.Context(), tasks)
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
		require.False(t, a.Existing)
	}
}

func (s *Store) joins(t *testing.T) executor.Claimer {
	t.Helper()
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	return c
}

func claims(t *testing.T, c executor.Claimer) executor.Lease {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	l, err := c.Claim(ctx, executor.Ended{})
	require.NoError(t, err)
	return l
}

func finishes(l executor.Lease) error {
	said := make(chan error, 1)
	l.Finish(executor.Outcome{State: schema.Completed, Result: []byte("{}")}, func(err error) { said <- err })
	l.Release()
	return <-said
}

// revocation is what a task is told.
func revocation(l executor.Lease) <-chan error {
	told := make(chan error, 4)
	l.OnRevoke(func(cause error) { told <- cause })
	return told
}

// sees waits until a process knows that a task is in a state: it knows what others do a little later.
func (s *Store) sees(t *testing.T, id uuid.UUID, state schema.State) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := s.Get(t.Context(), id)
		return err == nil && r.State == state
	}, patience, time.Millisecond)
}

// proxied is a namespace, the same through a network that can be cut, and that network.
func proxied(t *testing.T) (at, through Address, p *natstest.Proxy) {
	t.Helper()
	at = clusterOf(t, 1).namespace(t)
	p = natstest.NewProxy(t, at.Servers[0])
	through = at
	through.Servers = []string{p.URL()}
	return at, through, p
}

// opens opens a store that is closed when the test is over.
func opens(t *testing.T, o Options) *Store {
	t.Helper()
	s := open(t, o)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// A process that dies is given up when its lease is over: what may run again does, somewhere else,
// and the rest has ended as interrupted.
func TestTasksOfADeadProcessAreSettled(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	dies, lives := opens(t, Options{Address: at, Lease: shortLease}), open(t, Options{Address: at, Lease: shortLease})
	once, more := newTask(), newTask(again)
	dies.submits(t, once, more)
	c := dies.joins(t)
	for range 2 {
		require.NoError(t, claims(t, c).Started(1))
	}
	lives.sees(t, once.ID, schema.Running)
	dies.crash()

	l := claims(t, lives.joins(t))
	require.Equal(t, more.ID, l.Record().ID)
	require.Equal(t, int32(2), l.Record().Attempt)
	require.NoError(t, finishes(l))
	r, err := lives.Get(t.Context(), once.ID)
	require.NoError(t, err)
	require.Equal(t, schema.Failed, r.State)
	require.Equal(t, schema.KindInterrupted, r.Error.Kind)
}

// A process that is given up while it lives, because it was stopped for a while, ends nothing more
// of what it had. Then it goes on as a new one.
func TestGivenUpProcessEndsNothing(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	silent, lives := opens(t, Options{Address: at, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	once, more, next := newTask(), newTask(again), newTask()
	silent.submits(t, once, more)
	c := silent.joins(t)
	first, second := claims(t, c), claims(t, c)
	told := revocation(first)
	lives.fence(t, silent.self)

	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(first), executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(second), executor.ErrLeaseLost)
	require.ErrorIs(t, first.Started(1), executor.ErrLeaseLost)
	lives.sees(t, once.ID, schema.Failed)
	l := claims(t, c) // by the claimer that it had
	require.Equal(t, more.ID, l.Record().ID)
	require.Equal(t, int32(2), l.Record().Attempt)
	require.NoError(t, finishes(l))
	silent.submits(t, next)
	require.NoError(t, finishes(claims(t, c)))
	lives.sees(t, next.ID, schema.Completed)
}

// A process that reaches no server gives its leases up before the others do, and its tasks are
// told. What it finishes too late is refused. When it reaches the servers again it works on.
func TestLeasesAreLostWithoutServers(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	cut, lives := opens(t, Options{Address: through, Lease: shortLease}), opens(t, Options{Address: at, Lease: shortLease})
	once, next := newTask(), newTask()
	cut.submits(t, once)
	c := cut.joins(t)
	l := claims(t, c)
	told := revocation(l)
	p.Cut()
	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(l), executor.ErrLeaseLost)
	lives.sees(t, once.ID, schema.Failed)
	require.NotEmpty(t, cut.Info().Fault)
	p.Mend()
	lives.submits(t, next)
	require.NoError(t, finishes(claims(t, c)))
	lives.sees(t, next.ID, schema.Completed)
	require.Empty(t, cut.Info().Fault)
}

// Where no process reaches the servers nobody is given up. A task that was told to stop meanwhile is
// settled when its process is back, and by then its worker has released it.
func TestTasksThatWereDroppedAreSettled(t *testing.T) {
	t.Parallel()
	_, at, p := proxied(t)
	alone := opens(t, Options{Address: at, Lease: shortLease})
	once, more := newTask(), newTask(again)
	alone.submits(t, once, more)
	c := alone.joins(t)
	first, second := claims(t, c), claims(t, c)
	told := revocation(second)
	p.Cut()
	require.ErrorIs(t, <-told, executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(first), executor.ErrLeaseLost)
	require.ErrorIs(t, finishes(second), executor.ErrLeaseLost)
	p.Mend()
	alone.sees(t, once.ID, schema.Failed)
	l := claims(t, c)
	require.Equal(t, more.ID, l.Record().ID)
	require.NoError(t, finishes(l))
}

// A task that writes more than waits to be sent is told that its lease is lost.
func TestWriterIsToldThatItsLeaseIsLost(t *testing.T) {
	t.Parallel()
	_, at, p := proxied(t)
	s := opens(t, Options{Address: at, Lease: shortLease})
	s.submits(t, newTask())
	l := claims(t, s.joins(t))
	p.Cut()
	var err error
	for err == nil {
		err = l.Write(schema.Stdout, make([]byte, executor.MaxOutputPiece))
	}
	require.ErrorIs(t, err, executor.ErrLeaseLost)
	p.Mend()
}

// A submit that was on its way when its time was over is told as such. It is done later, once.
func TestChangeThatWasSentHasNoKnownOutcome(t *testing.T) {
	t.Parallel()
	_, at, p := proxied(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	p.Cut()
	sent := newTask()
	ctx, end := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := s.Submit(ctx, []executor.Submission{sent})
		failed <- err
	}()
	for under := false; !under; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		for _, f := range s.flights {
			under = under || slices.ContainsFunc(f.changes, func(c *pending) bool { return c.Submit != nil })
		}
		s.mu.Unlock()
	}
	end()
	err := <-failed
	require.ErrorIs(t, err, executor.ErrStoreUnavailable)
	require.ErrorIs(t, err, executor.ErrOutcomeUnknown)
	p.Mend()
	s.sees(t, sent.ID, schema.Queued)
	again, err := s.Submit(t.Context(), []executor.Submission{sent})
	require.NoError(t, err)
	require.True(t, again[0].Existing)
}

// A submit that was told to have failed before it was sent is not done later.
func TestChangeThatWasNotSentIsTakenBack(t *testing.T) {
	t.Parallel()
	_, at, p := proxied(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	p.Cut()
	for full := false; !full; time.Sleep(time.Millisecond) {
		s.tick()
		s.mu.Lock()
		full = len(s.flights) == maxFlights
		s.mu.Unlock()
	}
	lost := newTask()
	ctx, end := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer end()
	_, err := s.Submit(ctx, []executor.Submission{lost})
	require.ErrorIs(t, err, executor.ErrStoreUnavailable)
	require.NotErrorIs(t, err, executor.ErrOutcomeUnknown)
	p.Mend()
	s.submits(t, newTask())
	_, err = s.Get(t.Context(), lost.ID)
	require.ErrorIs(t, err, executor.ErrNotFound)
}

// What a process writes while its connection breaks again and again is there once, and in order.
func TestEachChangeCountsOnce(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	breaks, sees := opens(t, Options{Address: through, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	const tasks = 300
	var all []executor.Submission
	for n := range tasks {
		if n%60 == 30 {
			p.Cut()
			p.Mend()
		}
		one := newTask()
		all = append(all, one)
		breaks.submits(t, one)
	}
	c := sees.joins(t)
	for _, one := range all {
		l := claims(t, c)
		require.Equal(t, one.ID, l.Record().ID)
		require.NoError(t, finishes(l))
	}
	breaks.sees(t, all[tasks-1].ID, schema.Completed)
	counts, err := breaks.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.TaskCounts{Completed: tasks}, counts.TaskCounts)
}

// Several processes together run each task once, and never more of a group than may run, nor two
// of a key. One of them dies.
func TestConditionsHoldAcrossProcesses(t *testing.T) {
	t.Parallel()
	const processes, workers, tasks, most = 3, 4, 240, 2
	at := clusterOf(t, 1).namespace(t)
	var stores []*Store
	for range processes {
		stores = append(stores, open(t, Options{Address: at, Lease: longLease}))
	}
	require.NoError(t, stores[0].SetGroup(t.Context(), "g", plan.Settings{Limit: most}))
	var batch []executor.Submission
	for n := range tasks {
		batch = append(batch, newTask(again, func(s *executor.Submission) {
			s.Conditions = &schema.Conditions{Group: "g"}
			if n%2 == 0 {
				s.Conditions = &schema.Conditions{Key: fmt.Sprint("k", n%6)}
			}
		}))
	}
	seen := &watched{running: map[string]int{}, ended: map[uuid.UUID]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, s := range stores[1:] {
		c := s.joins(t)
		for range workers {
			all.Go(func() { seen.work(ctx, c) })
		}
	}
	held := claimsOf(t, stores[0], batch) // the first process has two, and dies
	stores[0].crash()
	stores[1].fence(t, stores[0].self)
	require.Len(t, held, 2)
	require.Eventually(t, func() bool {
		counts, err := stores[2].Counts(t.Context())
		require.NoError(t, err)
		return counts.Completed == tasks
	}, patience, 10*time.Millisecond)
	cancel()
	all.Wait()
	require.Len(t, seen.ended, tasks)
	for id, n := range seen.ended {
		require.Equal(t, 1, n, id)
	}
	require.LessOrEqual(t, seen.most["g"], most)
	for key, n := range seen.most {
		require.True(t, key == "g" || n == 1, key)
	}
	require.NoError(t, stores[1].Close())
	require.NoError(t, stores[2].Close())
}

// claimsOf submits tasks and claims two of them at once.
func claimsOf(t *testing.T, s *Store, batch []executor.Submission) (held []executor.Lease) {
	require.NoError(t, s.Pause(t.Context(), true))
	s.submits(t, batch...)
	c := s.joins(t)
	for range 2 {
		ctx, end := context.WithTimeout(t.Context(), patience)
		defer end()
		said := make(chan executor.Lease, 1)
		go func() {
			l, _ := c.Claim(ctx, executor.Ended{})
			said <- l
		}()
		require.NoError(t, s.Pause(t.Context(), false))
		held = append(held, <-said)
	}
	return held
}

// watched is what runs, as those see it that run it.
type watched struct {
	mu      sync.Mutex
	running map[string]int
	most    map[string]int
	ended   map[uuid.UUID]int
}

func (w *watched) add(c *schema.Conditions, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := c.Group + c.Key
	w.running[name] += n
	if w.most == nil {
		w.most = map[string]int{}
	}
	w.most[name] = max(w.most[name], w.running[name])
}

// work runs tasks until ctx ends.
func (w *watched) work(ctx context.Context, c executor.Claimer) {
	for {
		l, err := c.Claim(ctx, executor.Ended{})
		if err != nil {
			return
		}
		r := l.Record()
		w.add(r.Conditions, 1)
		time.Sleep(time.Millisecond)
		w.add(r.Conditions, -1)
		if finishes(l) == nil {
			w.mu.Lock()
			w.ended[r.ID]++
			w.mu.Unlock()
		}
	}
}

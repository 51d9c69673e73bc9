package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var claimContracts = []contract{
	{name: "behind an end that was noted is never seen before it", test: claimBehindEnd},
	{name: "makes the task running", test: claimRuns},
	{name: "takes the highest priority first, then the first submitted", test: claimOrder},
	{name: "of a task that may run again is seen soon", test: claimRerun},
	{name: "waits and is woken", test: claimWaits},
	{name: "every task wakes a claimer", test: claimWakesMany},
	{name: "ends with the cause of its context", test: claimCause},
	{name: "of an ended context takes nothing", test: claimEnded},
	{name: "one that gives up loses no task", test: claimGivesUp},
	{name: "waits that end while tasks come lose none", test: claimWaitsEnd},
	{name: "hands a task to one claimer only", test: claimOnce},
	{name: "has no bound of its own on what runs", test: claimsMany},
}

// claimer is a Claim that may have to wait.
type claimer struct {
	f      *fixture
	cancel context.CancelCauseFunc
	lease  executor.Lease
	err    error
	done   chan struct{}
}

func (f *fixture) claimer(limits executor.TypeLimits) *claimer {
	return f.waiting(func(ctx context.Context) (executor.Lease, error) { return f.claimers.claim(ctx, f.store, limits) })
}

func (f *fixture) waiting(claim func(context.Context) (executor.Lease, error)) *claimer {
	ctx, cancel := context.WithCancelCause(f.Context())
	c := &claimer{f: f, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.lease, c.err = claim(ctx)
	}()
	f.Cleanup(func() {
		cancel(context.Canceled)
		<-c.done
	})
	return c
}

// waits reports whether the claim has found nothing so far.
func (c *claimer) waits() bool {
	c.f.idle()
	return !c.over()
}

func (c *claimer) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// wait waits until the claim is over, which it must be at last.
func (c *claimer) wait() {
	c.f.Helper()
	c.f.until("the answer of a claim", c.over)
}

// got is the id of what was claimed. Something must be.
func (c *claimer) got() uuid.UUID {
	c.f.Helper()
	c.wait()
	require.NoError(c.f, c.err)
	return c.lease.Record().ID
}

// has reports whether the claim has found the task.
func (c *claimer) has(id uuid.UUID) bool {
	return c.over() && c.err == nil && c.lease.Record().ID == id
}

// overOf counts the claims that are over.
func overOf(claimers []*claimer) (n int) {
	for _, c := range claimers {
		if c.over() {
			n++
		}
	}
	return n
}

func claimRuns(f *fixture) {
	id := f.one(withInput(`{"n":1}`))
	r := f.claim().Record()
	require.Equal(f, id, r.ID)
	require.Equal(f, "plain", r.Type)
	require.Equal(f, int32(1), r.Attempt)
	require.JSONEq(f, `{"n":1}`, string(r.Input))
	got := f.get(id)
	require.Equal(f, schema.Running, got.State)
	require.Equal(f, int32(1), got.Attempt)
	require.GreaterOrEqual(f, got.StartedAt, got.CreatedAt)
	require.Zero(f, got.FinishedAt)
}

// claimRerun does not demand that the start is recorded when it is answered.
func claimRerun(f *fixture) {
	w := f.watchAll()
	id := f.one(withRerun(true))
	lease := f.claim()
	require.Equal(f, int32(1), lease.Record().Attempt)
	require.NoError(f, lease.Started(42))
	require.NoError(f, lease.Progress(schema.Progress{Value: 1}))
	f.until("a start that is seen", func() bool { return f.get(id).State == schema.Running })
	got := f.get(id)
	require.Equal(f, int32(1), got.Attempt)
	require.Equal(f, lease.Record().StartedAt, got.StartedAt)
	require.Equal(f, 1.0, got.Progress.Value)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventProgress), kinds(f.drain(w)))

	cancelled := f.one(withRerun(true))
	lease = f.claim()
	require.Equal(f, schema.OutcomeCancelling, f.cancel(cancelled, executor.Cancellation{}).Outcome, "it was handed out")
	f.finish(lease, completed)
	require.Equal(f, schema.Completed, f.get(cancelled).State)
}

func claimOrder(f *fixture) {
	var batch []executor.Submission
	for _, p := range []int8{0, -100, 5, 100, 0, 5, -1, 100, -100, 1} {
		batch = append(batch, task(withPriority(p)))
	}
	f.accept(batch...)
	for _, i := range []int{3, 7, 2, 5, 9, 0, 4, 6, 1, 8} {
		require.Equal(f, batch[i].ID, f.claim().Record().ID)
	}
}

func claimWaits(f *fixture) {
	c := f.claimer(nil)
	require.True(f, c.waits())
	require.Equal(f, f.one(), c.got())
}

func claimWakesMany(f *fixture) {
	var claimers []*claimer
	for range 5 {
		claimers = append(claimers, f.claimer(nil))
	}
	require.True(f, claimers[4].waits())
	f.accept(task(), task(), task())
	f.until("three of the claims", func() bool { return overOf(claimers) >= 3 })
	f.idle()
	require.Equal(f, 3, overOf(claimers))
	f.until("their starts", func() bool { return f.counts().Running == 3 })
}

func claimCause(f *fixture) {
	c := f.claimer(nil)
	require.True(f, c.waits())
	cause := errors.New("enough")
	c.cancel(cause)
	c.wait()
	require.ErrorIs(f, c.err, cause)
	id := f.one()
	require.Equal(f, id, f.claim().Record().ID, "it took nothing with it")
}

func claimEnded(f *fixture) {
	f.one()
	ctx, cancel := context.WithCancelCause(f.Context())
	cause := errors.New("enough")
	cancel(cause)
	_, err := f.claimers.claim(ctx, f.store, nil)
	require.ErrorIs(f, err, cause)
	require.Equal(f, int64(1), f.counts().Queued)
}

// claimGivesUp ends one of two waiting claims at the moment in which a task
// comes: a little before, and a little after.
func claimGivesUp(f *fixture) {
	for n := range 200 {
		pair := []*claimer{f.claimer(nil), f.claimer(nil)}
		f.idle()
		require.Zero(f, overOf(pair))
		quits, before := pair[n%2], n/2%2 == 0
		if before {
			quits.cancel(context.Canceled)
		}
		id := f.one()
		quits.cancel(context.Canceled)
		f.until("one that has the task", func() bool { return pair[0].has(id) || pair[1].has(id) })
		f.finishRunning(pair...)
	}
}

// finishRunning ends what the claimers have, and the claimers.
func (f *fixture) finishRunning(claimers ...*claimer) {
	for _, c := range claimers {
		c.cancel(context.Canceled)
		<-c.done
		if c.err == nil {
			f.finish(c.lease, completed)
		}
	}
}

func claimOnce(f *fixture) {
	const tasks, claimers = 400, 8
	batch := numbered(tasks)
	ctx, cancel := context.WithCancel(f.Context())
	var mu sync.Mutex
	seen := map[uuid.UUID]int{}
	var all sync.WaitGroup
	for range claimers {
		all.Go(func() {
			for {
				l, err := f.claimers.claim(ctx, f.store, nil)
				if err != nil {
					return
				}
				mu.Lock()
				seen[l.Record().ID]++
				mu.Unlock()
				_ = finished(l, completed)
				l.Release()
			}
		})
	}
	f.accept(batch...)
	f.until("all ends", func() bool { return f.counts().Completed == tasks })
	cancel()
	all.Wait()
	require.Len(f, seen, tasks)
	for id, n := range seen {
		require.Equal(f, 1, n, id)
	}
	require.Equal(f, int64(tasks), f.counts().Completed)
}

// claimsMany has tasks that can be handed out before their start is recorded: a
// store may bound how many of them are not recorded, but not how many run.
func claimsMany(f *fixture) {
	const tasks = 5000
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	var leases []executor.Lease
	f.accept(numbered(tasks, withRerun(true))...)
	for range tasks {
		l, err := f.claimers.claim(ctx, f.store, nil)
		require.NoError(f, err, "with %d that run", len(leases))
		leases = append(leases, l)
	}
	said := make(chan error, tasks)
	for _, l := range leases {
		l.Finish(completed, func(err error) { said <- err })
		l.Release()
	}
	for range leases {
		require.NoError(f, <-said)
	}
	require.Equal(f, int64(tasks), f.counts().Completed)
}

// claimBehindEnd has one worker, who claims when the store has noted the end of
// his task, recorded or not: so nobody ever sees two that run.
func claimBehindEnd(f *fixture) {
	const tasks = 300
	w := f.watchAll()
	for n := range tasks {
		f.one(withRerun(n%2 == 0))
	}
	var most int64
	sampled := make(chan struct{})
	ctx, cancel := context.WithCancel(f.Context())
	go func() {
		defer close(sampled)
		for ctx.Err() == nil {
			c, err := f.store.Counts(f.Context())
			if err == nil {
				most = max(most, c.Running)
			}
			time.Sleep(50 * time.Microsecond)
		}
	}()
	stop := f.crew(1)
	f.until("all ends", func() bool { return f.counts().Completed == tasks })
	cancel()
	<-sampled
	stop()
	require.LessOrEqual(f, most, int64(1))
	running, ended := 0, 0
	for _, ev := range f.drain(w) {
		switch ev.Kind {
		case executor.EventStarted:
			running++
		case executor.EventFinished:
			running--
			ended++
		}
		require.LessOrEqual(f, running, 1)
	}
	require.Equal(f, tasks, ended)
}

func claimWaitsEnd(f *fixture) {
	for range 5 {
		all := []*claimer{f.claimer(nil), f.claimer(nil), f.claimer(nil), f.claimer(nil)}
		require.True(f, all[0].waits())
		var ends sync.WaitGroup
		for _, c := range all[:2] {
			ends.Go(func() { c.cancel(context.Canceled) })
		}
		f.accept(task(), task())
		ends.Wait()
		f.until("a claim of each task", func() bool {
			n := 0
			for _, c := range all {
				if c.over() && c.err == nil {
					n++
				}
			}
			return n == 2
		})
		for _, c := range all {
			c.cancel(context.Canceled)
			c.wait()
		}
	}
}

package storetest

import (
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var cancelContracts = []contract{
	{name: "of a queued task ends it", test: cancelQueued},
	{name: "of a running task revokes its lease", test: cancelRunning},
	{name: "of a final task changes nothing", test: cancelFinal},
	{name: "answers each id in its place", test: cancelMany},
	{name: "answers an id as often as it is named", test: cancelTwiceAtOnce},
	{name: "before anybody listens is not lost", test: cancelEarly},
	{name: "force before anybody listens is not lost", test: cancelEarlyForce},
	{name: "repeated with force is told again", test: cancelForce},
	{name: "the first reason counts", test: cancelFirstReason},
	{name: "and a claim at once leave one final state", test: cancelMeetsClaim},
}

func cancelQueued(f *fixture) {
	ids := f.accept(task(), task())
	a := f.cancel(ids[0], executor.Cancellation{Reason: "why"})
	require.NoError(f, a.Err)
	require.Equal(f, schema.OutcomeCancelled, a.Outcome)
	require.Equal(f, schema.Cancelled, a.Task.State)
	got := f.get(ids[0])
	require.Equal(f, a.Task, got.Task)
	require.Equal(f, "why", got.CancelReason)
	require.NotZero(f, got.CancelRequestedAt)
	require.NotZero(f, got.FinishedAt)
	require.Zero(f, got.StartedAt)
	require.Equal(f, schema.KindCancelled, got.Error.Kind)
	require.Contains(f, got.Error.Message, "why")
	require.Equal(f, ids[1], f.claim().Record().ID, "it does not run")
}

// told collects what a lease's holder is told.
type told struct {
	mu     sync.Mutex
	causes []error
}

func (l *told) listen(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.causes = append(l.causes, cause)
}

func (f *fixture) cancellations(l *told) []executor.Cancellation {
	f.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []executor.Cancellation
	for _, cause := range l.causes {
		var c *executor.Cancellation
		require.ErrorAs(f, cause, &c)
		found = append(found, *c)
	}
	return found
}

func cancelRunning(f *fixture) {
	id := f.one()
	lease := f.claim()
	var l told
	lease.OnRevoke(l.listen)
	require.Empty(f, l.causes)
	a := f.cancel(id, executor.Cancellation{Reason: "why", Force: true})
	require.Equal(f, schema.OutcomeCancelling, a.Outcome)
	require.Equal(f, schema.Running, a.Task.State)
	require.Equal(f, "why", a.Task.CancelReason)
	require.NotZero(f, a.Task.CancelRequestedAt)
	require.Equal(f, []executor.Cancellation{{Reason: "why", Force: true}}, f.cancellations(&l))
	require.NoError(f, lease.Started(0), "until it is final the lease is good")
	f.finish(lease, completed)
	got := f.get(id)
	require.Equal(f, schema.Completed, got.State, "the holder says how it ended")
	require.Equal(f, "why", got.CancelReason)
}

func cancelFinal(f *fixture) {
	id := f.one()
	lease := f.claim()
	var l told
	lease.OnRevoke(l.listen)
	f.finish(lease, completed)
	before := f.get(id)
	f.pass(time.Second)
	a := f.cancel(id, executor.Cancellation{Reason: "late", Force: true})
	require.NoError(f, a.Err)
	require.Equal(f, schema.OutcomeAlreadyFinished, a.Outcome)
	require.Equal(f, before, f.get(id))
	require.Empty(f, l.causes)
}

func cancelMany(f *fixture) {
	final := f.ran()
	running := f.one()
	f.claim()
	queued, unknown := f.one(), uuid.New()
	answers, err := f.store.Cancel(f.Context(), []uuid.UUID{queued, unknown, final, running}, executor.Cancellation{})
	require.NoError(f, err)
	require.Len(f, answers, 4)
	require.Equal(f, schema.OutcomeCancelled, answers[0].Outcome)
	require.ErrorIs(f, answers[1].Err, executor.ErrNotFound)
	require.Equal(f, schema.OutcomeAlreadyFinished, answers[2].Outcome)
	require.Equal(f, schema.OutcomeCancelling, answers[3].Outcome)
	require.Equal(f, running, answers[3].Task.ID)
}

func cancelTwiceAtOnce(f *fixture) {
	running := f.one()
	lease := f.claim()
	var l told
	lease.OnRevoke(l.listen)
	queued := f.one()
	answers, err := f.store.Cancel(f.Context(), []uuid.UUID{queued, running, queued, running}, executor.Cancellation{Reason: "once"})
	require.NoError(f, err)
	require.Len(f, answers, 4)
	for i, want := range []schema.CancelOutcome{
		schema.OutcomeCancelled, schema.OutcomeCancelling, schema.OutcomeAlreadyFinished, schema.OutcomeCancelling,
	} {
		require.NoError(f, answers[i].Err)
		require.Equal(f, want, answers[i].Outcome)
		require.Equal(f, "once", answers[i].Task.CancelReason)
	}
	require.Equal(f, answers[0].Task, answers[2].Task)
	require.NotEmpty(f, f.cancellations(&l))
	require.EqualValues(f, 1, f.counts().Cancelled)
}

func cancelEarly(f *fixture) {
	id := f.one()
	lease := f.claim()
	f.cancel(id, executor.Cancellation{Reason: "early"})
	var l told
	lease.OnRevoke(l.listen)
	require.Equal(f, []executor.Cancellation{{Reason: "early"}}, f.cancellations(&l))
}

func cancelEarlyForce(f *fixture) {
	id := f.one()
	lease := f.claim()
	f.cancel(id, executor.Cancellation{Reason: "first", Force: true})
	f.cancel(id, executor.Cancellation{Reason: "second"})
	var l told
	lease.OnRevoke(l.listen)
	got := f.cancellations(&l)
	require.Equal(f, "first", got[0].Reason)
	forced := false
	for _, c := range got {
		forced = forced || c.Force
	}
	require.True(f, forced)
}

func cancelForce(f *fixture) {
	id := f.one()
	lease := f.claim()
	var l told
	lease.OnRevoke(l.listen)
	f.cancel(id, executor.Cancellation{Reason: "please"})
	require.Equal(f, schema.OutcomeCancelling, f.cancel(id, executor.Cancellation{Reason: "now", Force: true}).Outcome)
	got := f.cancellations(&l)
	require.Len(f, got, 2)
	require.False(f, got[0].Force)
	require.True(f, got[1].Force)
}

func cancelFirstReason(f *fixture) {
	id := f.one()
	f.claim()
	first := f.cancel(id, executor.Cancellation{Reason: "first"}).Task
	f.pass(time.Second)
	second := f.cancel(id, executor.Cancellation{Reason: "second", Force: true}).Task
	require.Equal(f, "first", second.CancelReason)
	require.Equal(f, first.CancelRequestedAt, second.CancelRequestedAt)
}

// cancelMeetsClaim lets a cancel and a claim go for the same task at once.
func cancelMeetsClaim(f *fixture) {
	const rounds = 200
	w := f.watchAll()
	for range rounds {
		id := f.one()
		c := f.claimer(nil)
		outcome := f.cancel(id, executor.Cancellation{}).Outcome
		if outcome == schema.OutcomeCancelling {
			c.wait()
			require.NoError(f, c.err)
			f.finish(c.lease, completed)
			continue
		}
		require.Equal(f, schema.OutcomeCancelled, outcome)
		c.cancel(nil)
		c.wait()
		require.Error(f, c.err)
	}
	finals := map[uuid.UUID]int{}
	for _, ev := range f.drain(w) {
		if ev.Kind == executor.EventFinished {
			finals[ev.ID]++
		}
	}
	require.Len(f, finals, rounds)
	for id, n := range finals {
		require.Equal(f, 1, n, id)
	}
	c := f.counts()
	require.Equal(f, int64(rounds), c.Completed+c.Cancelled)
}

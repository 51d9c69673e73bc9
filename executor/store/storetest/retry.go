package storetest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

var retryContracts = []contract{
	{name: "queues the task until its time", test: retryWaits},
	{name: "keeps the output and the attempts", test: retryAttempts},
	{name: "spends nothing on a task that puts itself off", test: retrySnooze},
	{name: "holds neither key nor group nor resource meanwhile", test: retryFrees},
	{name: "gives nothing back before the code has ended", test: retryReleases},
	{name: "lets nothing run that comes after", test: retryAfter},
	{name: "is fenced as an end is", test: retryFences},
	{name: "is in one call with the next claim", test: retryClaims},
	{name: "ends with a cancel", test: retryCancel},
	{name: "gives way to a cancel before", test: retryCancelled},
	{name: "is followed by a cancel at once", test: retryCancelAtOnce},
	{name: "is no end for retention and expiry", limits: Limits{Keep: -1}, test: retryKept},
}

// failedOnce is an attempt that fails, and is followed by another one after a time.
func failedOnce(d time.Duration) *executor.NextAttempt {
	return &executor.NextAttempt{At: in(d), Error: &schema.TaskError{Kind: schema.KindExit, Message: "exit 1", ExitCode: new(1)}}
}

// queueAgain ends the attempt of a lease, and waits until that is recorded.
func (f *fixture) queueAgain(l executor.Lease, a *executor.NextAttempt) {
	f.Helper()
	require.NoError(f, queuedAgain(l, a))
	l.Release()
}

// queuedAgain is what Retry says at last.
func queuedAgain(l executor.Lease, a *executor.NextAttempt) error {
	said := make(chan error, 1)
	l.Retry(a, func(err error) { said <- err })
	return <-said
}

// attempts are those of a task, as they are shown.
func (f *fixture) attempts(r executor.Record) []schema.Attempt {
	f.Helper()
	r.ShowAttempts()
	return r.Attempts
}

func retryWaits(f *fixture) {
	w := f.watchAll()
	id := f.one(ownedBy(w, executor.DefaultEvents))
	l := f.claims(id)
	require.NoError(f, l.Started(0))
	require.NoError(f, l.Progress(schema.Progress{Value: 1}))
	a := failedOnce(f.of(time.Hour))
	f.queueAgain(l, a)
	waits := f.waits(id, schema.WaitsForRetry)
	require.Equal(f, a.At, waits[0].Until)
	require.Contains(f, waits[0].Message, "attempt 2")
	require.Contains(f, waits[0].Message, "attempt 1 failed as exit: exit 1")
	require.Equal(f, a.Error, waits[0].Error)
	got := f.get(id)
	require.Equal(f, int32(1), got.Attempt)
	require.Zero(f, got.StartedAt)
	require.Nil(f, got.Progress)
	require.Nil(f, got.Error)
	require.Equal(f, schema.TaskCounts{Queued: 1}, f.counts().TaskCounts)
	f.noClaim()
	f.pass(time.Hour)
	l = f.claims(id)
	require.Equal(f, int32(2), l.Record().Attempt)
	require.GreaterOrEqual(f, l.Record().StartedAt, a.At)
	require.NoError(f, l.Started(0))
	f.finish(l, completed)
	require.Equal(f, schema.TaskCounts{Completed: 1}, f.counts().TaskCounts)
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventProgress, executor.EventRetrying, executor.EventStarted, executor.EventFinished), kinds(events))
	require.Equal(f, int32(1), events[2].Attempt)
	require.Equal(f, *a, *events[2].Next)
	require.True(f, events[2].Wanted)
	require.Equal(f, int32(2), events[3].Attempt)
}

func retryAttempts(f *fixture) {
	id := f.one()
	large := strings.Repeat("x", 2*schema.MaxAttemptText)
	for n := range schema.MaxAttempts + 5 {
		l := f.claims(id)
		require.NoError(f, l.Write(schema.Stdout, []byte("out")))
		a := failedOnce(0)
		a.Error.Message, a.Error.StderrTail = large, large+"end"
		if n == 3 {
			a.Error = nil // this one does not count, and is not kept
		}
		f.queueAgain(l, a)
	}
	queued := f.attempts(f.get(id))
	require.Equal(f, int64(3*(schema.MaxAttempts+5)), f.get(id).OutputBytes.Stdout)
	require.Len(f, queued, schema.MaxAttempts)
	last := queued[len(queued)-1]
	require.Equal(f, int32(schema.MaxAttempts+5), last.Attempt)
	require.Len(f, last.Error.Message, schema.MaxAttemptText)
	require.Len(f, last.Error.StderrTail, schema.MaxAttemptText)
	require.True(f, strings.HasSuffix(last.Error.StderrTail, "end"))
	for _, earlier := range queued[:len(queued)-1] { // 20 times both texts would be much
		require.Len(f, earlier.Error.Message, schema.MaxEarlierText)
		require.Empty(f, earlier.Error.StderrTail)
	}
	l := f.claims(id)
	require.NoError(f, l.Write(schema.Stderr, []byte("oops")))
	f.until("the output is seen", func() bool {
		return len(f.attempts(f.get(id))) == schema.MaxAttempts && f.get(id).OutputBytes.Stderr > 0
	})
	running := f.attempts(f.get(id))
	require.Equal(f, queued[1:], running[:schema.MaxAttempts-1])
	f.finish(l, failure)
	got := f.get(id)
	final := f.attempts(got)
	require.Equal(f, queued[1:], final[:schema.MaxAttempts-1])
	now := final[schema.MaxAttempts-1]
	total := int64(3 * (schema.MaxAttempts + 5))
	require.Equal(f, schema.Attempt{
		Attempt: schema.MaxAttempts + 6, StartedAt: got.StartedAt, FinishedAt: got.FinishedAt, Error: failure.Error, RanOn: got.RanOn,
		Output: &schema.AttemptOutput{Stdout: schema.Span{From: total, To: total}, Stderr: schema.Span{To: 4}},
	}, now)
	for i, a := range final[:schema.MaxAttempts-1] {
		require.Equal(f, final[i+1].Attempt, a.Attempt+1)
		require.Equal(f, a.Output.Stdout.From+3, a.Output.Stdout.To)
		require.Equal(f, final[i+1].Output.Stdout.From, a.Output.Stdout.To)
		require.LessOrEqual(f, a.StartedAt, a.FinishedAt)
	}
	require.Equal(f, total, got.OutputBytes.Stdout)
}

func retrySnooze(f *fixture) {
	w := f.watchAll()
	id := f.one()
	l := f.claims(id)
	require.NoError(f, l.Started(0))
	f.queueAgain(l, &executor.NextAttempt{At: in(f.of(time.Minute))})
	f.waits(id, schema.WaitsForRetry)
	got := f.get(id)
	require.Equal(f, int32(1), got.History.Snoozes)
	require.Empty(f, f.attempts(got))
	f.pass(time.Minute)
	l = f.claims(id)
	require.Equal(f, int32(2), l.Record().Attempt)
	require.Equal(f, int32(1), l.Record().History.Snoozes)
	f.finish(l, completed)
	require.Len(f, f.attempts(f.get(id)), 1)
	events := f.drain(w)
	require.Equal(f, kindsOf(executor.EventStarted, executor.EventRetrying, executor.EventFinished), kinds(events))
	require.Nil(f, events[1].Next.Error)
}

func retryFrees(f *fixture) {
	require.NoError(f, f.store.SetGroup(f.Context(), "g", plan.Settings{Limit: 1}))
	alike := onlyIf(schema.Conditions{Key: "k", Group: "g"})
	first, second := f.one(alike), f.one(alike)
	l := f.claims(first)
	f.noClaim()
	f.queueAgain(l, failedOnce(f.of(time.Hour)))
	l = f.claims(second)
	f.waits(first, schema.WaitsForRetry, schema.WaitsForGroup)
	f.pass(time.Hour)
	f.until("its time is seen", func() bool { return f.get(first).WaitingFor[0].Kind != schema.WaitsForRetry })
	f.waits(first, schema.WaitsForKey, schema.WaitsForGroup)
	f.finish(l, completed)
	f.finish(f.claims(first), completed)
}

func retryReleases(f *fixture) {
	alike := onlyIf(schema.Conditions{Key: "k"})
	first, second := f.one(alike), f.one(alike)
	l := f.claims(first)
	require.NoError(f, queuedAgain(l, failedOnce(0)))
	f.noClaim()
	f.waits(second, schema.WaitsForKey)
	l.Release()
	f.finish(f.claims(first), completed)
	f.finish(f.claims(second), completed)
}

func retryAfter(f *fixture) {
	first := f.one()
	next, repairs := f.one(after(schema.OnSuccess, first)), f.one(after(schema.OnFailure, first))
	f.queueAgain(f.claims(first), failedOnce(0))
	f.waits(next, schema.WaitsForDependency)
	f.waits(repairs, schema.WaitsForDependency)
	f.finish(f.claims(first), completed)
	f.finish(f.claims(next), completed)
	f.endedWith(repairs, schema.KindDependency, "has not failed")
}

func retryFences(f *fixture) {
	id := f.one()
	l := f.claims(id)
	said := make(chan error, 1)
	l.Retry(failedOnce(0), func(err error) { said <- err })
	require.ErrorIs(f, l.Write(schema.Stdout, []byte("x")), executor.ErrLeaseLost)
	require.ErrorIs(f, l.Progress(schema.Progress{}), executor.ErrLeaseLost)
	require.ErrorIs(f, l.Started(0), executor.ErrLeaseLost)
	require.ErrorIs(f, finished(l, completed), executor.ErrLeaseLost)
	require.ErrorIs(f, queuedAgain(l, failedOnce(0)), executor.ErrLeaseLost)
	require.NoError(f, <-said)
	l.Release()
	f.finish(f.claims(id), completed)
	require.Equal(f, int32(2), f.get(id).Attempt)
}

func retryClaims(f *fixture) {
	id := f.one()
	claimer, err := f.claimers.of(f.Context(), f.store, nil)
	require.NoError(f, err)
	said := make(chan error, 1)
	l, err := claimer.Claim(f.Context(), executor.Ended{Lease: f.claims(id), Next: failedOnce(0), Recorded: func(err error) { said <- err }})
	require.NoError(f, err)
	require.NoError(f, <-said)
	require.Equal(f, int32(2), l.Record().Attempt)
	f.finish(l, completed)
}

func retryCancel(f *fixture) {
	w := f.watchAll()
	id := f.one()
	f.queueAgain(f.claims(id), failedOnce(f.of(time.Hour)))
	a := f.cancel(id, executor.Cancellation{Reason: "enough"})
	require.Equal(f, schema.OutcomeCancelled, a.Outcome)
	got := f.get(id)
	require.Equal(f, schema.Cancelled, got.State)
	require.Equal(f, "enough", got.CancelReason)
	require.Zero(f, got.StartedAt)
	attempts := f.attempts(got)
	require.Len(f, attempts, 1)
	require.Equal(f, schema.KindExit, attempts[0].Error.Kind)
	require.Equal(f, kindsOf(executor.EventRetrying, executor.EventFinished), kinds(f.drain(w)))
	f.pass(2 * time.Hour)
	f.noClaim()
	require.Equal(f, schema.TaskCounts{Cancelled: 1}, f.counts().TaskCounts)
}

func retryCancelled(f *fixture) {
	id := f.one()
	l := f.claims(id)
	require.Equal(f, schema.OutcomeCancelling, f.cancel(id, executor.Cancellation{Reason: "enough"}).Outcome)
	require.ErrorIs(f, queuedAgain(l, failedOnce(0)), executor.ErrCancelRequested)
	l.Release()
	got := f.get(id)
	require.Equal(f, schema.Cancelled, got.State)
	require.Equal(f, "enough", got.CancelReason)
	f.noClaim()
}

// retryCancelAtOnce cancels while the end of the attempt may not be recorded yet.
func retryCancelAtOnce(f *fixture) {
	for range 20 {
		id := f.one(onlyIf(schema.Conditions{Key: "k"}))
		l := f.claims(id)
		said := make(chan error, 1)
		l.Retry(failedOnce(0), func(err error) { said <- err })
		a := f.cancel(id, executor.Cancellation{})
		l.Release()
		require.NoError(f, a.Err)
		require.Equal(f, schema.OutcomeCancelled, a.Outcome)
		require.NoError(f, <-said)
		require.Equal(f, schema.Cancelled, f.get(id).State)
		require.Len(f, f.attempts(f.get(id)), 1)
	}
	f.noClaim()
	require.Equal(f, schema.TaskCounts{Cancelled: 20}, f.counts().TaskCounts)
}

func retryKept(f *fixture) {
	id := f.one(onlyIf(schema.Conditions{ExpiresAt: in(f.of(time.Hour))}))
	f.queueAgain(f.claims(id), failedOnce(f.of(2*time.Hour)))
	f.pass(90 * time.Minute)
	f.waits(id, schema.WaitsForRetry)
	f.pass(time.Hour)
	f.finish(f.claims(id), completed)
	require.Zero(f, f.counts().Unrun)
}

package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// restartRetryContracts are those of tasks that are tried again in a store that is opened again.
var restartRetryContracts = []contract{
	{name: "keeps when a task is tried again", test: restartRetryTime},
	{name: "keeps the attempts and their output", test: restartAttempts},
	{name: "tries again what was interrupted", test: restartInterruptedRetry},
	{name: "counts an interruption as an attempt", test: restartRetryBound},
	{name: "counts no attempt after which a task runs again by itself", test: restartRetryRerun},
	{name: "tries nothing again that was to be cancelled", test: restartRetryCancelled},
	{name: "keeps what a task without conditions has put off", test: restartSnooze},
}

// retried lets a task run so often, with an hour between two attempts.
func (f *fixture) retried(attempts int32, on ...schema.ErrorKind) func(*executor.Submission) {
	hour := f.of(time.Hour).Milliseconds()
	return onlyIf(schema.Conditions{Retry: &schema.Retry{
		MaxAttempts: attempts, DelayMs: &hour, Factor: 1, MaxDelayMs: hour, Jitter: new(float64), On: on,
	}})
}

func restartRetryTime(f *fixture) {
	id := f.one(f.retried(3))
	a := failedOnce(f.of(time.Hour))
	f.queueAgain(f.claims(id), a)
	for range 2 {
		f.restart()
		require.Equal(f, a.At, f.waits(id, schema.WaitsForRetry)[0].Until)
		require.Equal(f, int32(1), f.get(id).Attempt)
		f.noClaim()
	}
	f.pass(time.Hour)
	l := f.claims(id)
	require.Equal(f, int32(2), l.Record().Attempt)
	require.Len(f, l.Record().History.Attempts, 1)
	f.finish(l, completed)
	f.restart()
	require.Equal(f, schema.TaskCounts{Completed: 1}, f.counts().TaskCounts)
	f.noClaim()
}

func restartAttempts(f *fixture) {
	id := f.one()
	l := f.claims(id)
	require.NoError(f, l.Write(schema.Stdout, []byte("one")))
	f.queueAgain(l, failedOnce(f.of(time.Hour)))
	queued := f.attempts(f.get(id))
	f.restart()
	require.Equal(f, queued, f.attempts(f.get(id)))
	f.pass(time.Hour)
	l = f.claims(id)
	require.NoError(f, l.Write(schema.Stdout, []byte("two!")))
	f.finish(l, failure)
	final := f.get(id)
	f.restart()
	require.Equal(f, final, f.get(id))
	attempts := f.attempts(f.get(id))
	require.Len(f, attempts, 2)
	require.Equal(f, queued[0], attempts[0])
	require.Equal(f, schema.Span{From: 3, To: 7}, attempts[1].Output.Stdout)
	piece, err := f.store.Output(f.Context(), id, schema.Stdout, executor.OutputRange{Limit: 100, Tail: -1})
	require.NoError(f, err)
	require.Equal(f, "onetwo!", string(piece.Data))
}

func restartInterruptedRetry(f *fixture) {
	id := f.one(f.retried(2))
	other := f.one(f.retried(2, schema.KindExit))
	for _, id := range []executor.Lease{f.claims(id), f.claims(other)} {
		require.NoError(f, id.Started(0))
	}
	next := f.one(after(schema.OnSuccess, id))
	f.restart()
	f.waits(id, schema.WaitsForRetry)
	f.waits(next, schema.WaitsForDependency)
	got := f.get(other)
	require.Equal(f, schema.Failed, got.State)
	require.Equal(f, schema.KindInterrupted, got.Error.Kind)
	attempts := f.attempts(f.get(id))
	require.Len(f, attempts, 1)
	require.Equal(f, schema.KindInterrupted, attempts[0].Error.Kind)
	due := f.get(id).History.DueAt
	f.noClaim()
	f.restart()
	require.Equal(f, due, f.get(id).History.DueAt)
	f.pass(time.Hour)
	f.finish(f.claims(id), completed)
	f.finish(f.claims(next), completed)
}

func restartRetryBound(f *fixture) {
	id := f.one(f.retried(2), withRerun(true))
	f.claims(id)
	f.restart()
	f.pass(time.Hour)
	f.claims(id)
	f.restart()
	got := f.get(id)
	require.Equal(f, schema.Failed, got.State)
	require.Equal(f, int32(2), got.Attempt)
	require.Len(f, f.attempts(got), 2)
	f.noClaim()
}

// restartRetryRerun has a task whose Retry says nothing of an end with its process. That it runs again
// then is of its Rerun, and spends no attempt.
func restartRetryRerun(f *fixture) {
	id := f.one(f.retried(2, schema.KindExit), withRerun(true))
	for n := range 3 {
		l := f.claims(id)
		require.Equal(f, int32(n+1), l.Record().Attempt)
		require.NoError(f, l.Started(0))
		f.restart()
	}
	r := f.get(id)
	require.Equal(f, schema.Queued, r.State)
	require.Equal(f, int32(3), r.History.Reruns)
	attempts := f.attempts(r)
	require.Len(f, attempts, 3)
	require.Equal(f, schema.KindInterrupted, attempts[2].Error.Kind)
	f.finish(f.claims(id), completed)
}

func restartRetryCancelled(f *fixture) {
	id := f.one(f.retried(2))
	f.claims(id)
	f.cancel(id, executor.Cancellation{Reason: "enough"})
	waits := f.one(f.retried(2))
	f.queueAgain(f.claims(waits), failedOnce(f.of(time.Hour)))
	f.cancel(waits, executor.Cancellation{})
	f.restart()
	require.Equal(f, schema.Cancelled, f.get(id).State)
	require.Equal(f, schema.Cancelled, f.get(waits).State)
	require.Len(f, f.attempts(f.get(waits)), 1)
	f.pass(2 * time.Hour)
	f.noClaim()
}

func restartSnooze(f *fixture) {
	id := f.one()
	f.queueAgain(f.claims(id), &executor.NextAttempt{At: in(f.of(time.Hour))})
	f.restart()
	f.waits(id, schema.WaitsForRetry)
	f.noClaim()
	f.pass(time.Hour)
	l := f.claims(id)
	require.Equal(f, int32(2), l.Record().Attempt)
	f.restart()
	require.Equal(f, schema.KindInterrupted, f.get(id).Error.Kind)
}

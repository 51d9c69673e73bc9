package executor_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// tries is a policy without chance: after a second, then after two.
func tries(n int32, on ...schema.ErrorKind) *schema.Retry {
	return &schema.Retry{MaxAttempts: n, Jitter: new(float64), On: on}
}

func retried(p schema.SubmitParams, policy *schema.Retry) schema.SubmitParams {
	p.Retry = policy
	return p
}

// endingWith is a type whose attempts end with these errors, and the last one again and again.
func endingWith(name string, errs ...error) executor.Type {
	var n atomic.Int64
	return executor.MustDefine(name, func(context.Context, empty) (empty, error) {
		return empty{}, errs[min(int(n.Add(1)), len(errs))-1]
	})
}

func (r *rig) attempts(id uuid.UUID) []schema.Attempt {
	r.Helper()
	t, err := r.StatusWith(r.Context(), &schema.StatusParams{ID: id, IncludeAttempts: true})
	require.NoError(r, err)
	return t.Attempts
}

func TestATaskThatFailsIsTriedAgain(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		w := r.watchAll()
		id := r.submit(retried(schema.SubmitParams{Type: "fail"}, tries(3, schema.KindTaskError)))
		queued := r.inState(id, schema.Queued)
		require.Equal(r, schema.WaitsForRetry, queued.WaitingFor[0].Kind)
		require.Equal(r, int32(1), queued.Attempt)
		r.pass(time.Second)
		require.Equal(r, int32(2), r.inState(id, schema.Queued).Attempt)
		r.pass(time.Second)
		require.Equal(r, int32(2), r.inState(id, schema.Queued).Attempt, "the second wait is twice as long")
		r.pass(time.Second)
		final := r.inState(id, schema.Failed)
		require.Equal(r, int32(3), final.Attempt)
		require.Len(r, r.attempts(id), 3)
		var kinds []executor.EventKind
		for _, ev := range r.drain(w) {
			kinds = append(kinds, ev.Kind)
		}
		const started, retrying, finished = executor.EventStarted, executor.EventRetrying, executor.EventFinished
		require.Equal(r, []executor.EventKind{started, retrying, started, retrying, started, finished}, kinds)
		require.Equal(r, int64(1), r.stats().Totals.Failed, "an attempt is no end")
	})
}

func TestRetryOfATypeAndOfASubmit(t *testing.T) {
	stubborn := executor.MustDefine("stubborn", func(context.Context, empty) (empty, error) {
		return empty{}, executor.Retryable(errors.New("busy"), 0)
	}, executor.Retry(*tries(2)))
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{stubborn}}, func(r *rig) {
		byType, once := r.of("stubborn"), r.submit(retried(schema.SubmitParams{Type: "stubborn"}, tries(1)))
		policy := r.inState(byType, schema.Queued).Conditions.Retry
		require.Equal(r, schema.Retry{MaxAttempts: 2, DelayMs: new(int64(1000)), Factor: 2, MaxDelayMs: 3_600_000, Jitter: new(float64)}, *policy)
		require.Nil(r, r.inState(once, schema.Failed).Conditions, "one attempt is no condition")
		r.pass(time.Second)
		require.Equal(r, int32(2), r.inState(byType, schema.Failed).Attempt)
	})
}

func TestWhatTheCodeSaysOfItsNextAttempt(t *testing.T) {
	busy := errors.New("busy")
	types := []executor.Type{
		endingWith("later", executor.Retryable(busy, time.Minute), busy),
		endingWith("never", executor.Permanent(busy)),
		endingWith("off", executor.Snooze(time.Minute), executor.Snooze(time.Minute), nil),
	}
	withRig(t, executor.Options{Limit: 3, Types: types}, func(r *rig) {
		later := r.submit(retried(schema.SubmitParams{Type: "later"}, tries(5)))
		never := r.submit(retried(schema.SubmitParams{Type: "never"}, tries(5, schema.KindTaskError)))
		off := r.of("off")
		r.inState(later, schema.Queued)
		require.Equal(r, int32(1), r.inState(never, schema.Failed).Attempt)
		require.Equal(r, schema.WaitsForRetry, r.inState(off, schema.Queued).WaitingFor[0].Kind)
		r.pass(time.Minute)
		require.Equal(r, int32(2), r.inState(later, schema.Failed).Attempt, "the second error is not worth another try")
		r.pass(time.Minute)
		require.Equal(r, int32(3), r.inState(off, schema.Completed).Attempt)
		require.Len(r, r.attempts(off), 1, "only the last run was an attempt")
	})
}

// Clients say once that no more input comes.
func TestTheInputOfALaterAttemptHasEnded(t *testing.T) {
	read := []string{}
	reads := executor.MustDefine("reads", func(ctx context.Context, _ empty) (empty, error) {
		in := executor.Inputs(ctx)
		executor.Started(ctx, 0)
		text, err := io.ReadAll(in)
		if read = append(read, string(text)); len(read) < 3 {
			err = executor.Retryable(errors.New("busy"), 0)
		}
		return empty{}, err
	}, executor.StartsItself())
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{reads}}, func(r *rig) {
		id := r.submit(retried(schema.SubmitParams{Type: "reads"}, tries(3)))
		r.inState(id, schema.Running)
		require.NoError(r, r.Input(r.Context(), id, []byte("all"), true))
		r.pass(time.Hour)
		r.inState(id, schema.Completed)
		require.Equal(r, []string{"all", "", ""}, read)
	})
}

func TestATimeOutIsTriedAgainAndACancelIsNot(t *testing.T) {
	withRig(t, executor.Options{Limit: 2}, func(r *rig) {
		p := retried(nap(time.Hour), tries(2))
		p.TimeoutMs = 1000
		slow, stopped := r.submit(p), r.submit(retried(nap(time.Hour), tries(2)))
		r.inState(stopped, schema.Running)
		require.Equal(r, schema.OutcomeCancelling, r.cancel(stopped, executor.Cancellation{}))
		require.Equal(r, int32(1), r.inState(stopped, schema.Cancelled).Attempt)
		r.pass(time.Second)
		r.inState(slow, schema.Queued)
		require.Equal(r, schema.KindTimeout, r.attempts(slow)[0].Error.Kind)
		require.Equal(r, schema.OutcomeCancelled, r.cancel(slow, executor.Cancellation{Reason: "enough"}))
		require.Len(r, r.attempts(slow), 1)
		r.pass(time.Hour)
		require.Equal(r, int32(1), r.inState(slow, schema.Cancelled).Attempt)
	})
}

// Code that does not stop may still run, so its task is not tried again.
func TestATaskThatWasGivenUpIsNotTriedAgain(t *testing.T) {
	withRig(t, executor.Options{Limit: 2}, func(r *rig) {
		p := retried(taking("deaf", time.Hour), tries(3))
		p.TimeoutMs, p.GraceMs = 1000, new(int64(1000))
		id := r.submit(p)
		r.pass(3 * time.Second)
		require.True(r, r.inState(id, schema.Failed).Error.Forced)
		r.pass(time.Hour)
		require.Equal(r, int32(1), r.inState(id, schema.Failed).Attempt)
	})
}

// A drain waits for the next attempt, unless that begins after its time-out.
func TestADrainWaitsForTheNextAttempt(t *testing.T) {
	for _, c := range []struct {
		timeout time.Duration
		want    schema.ShutdownResult
		took    time.Duration
	}{
		{0, schema.ShutdownResult{Failed: 1}, time.Second},
		{time.Minute, schema.ShutdownResult{Failed: 1}, time.Second},
		{500 * time.Millisecond, schema.ShutdownResult{Left: 1}, 0},
	} {
		withRig(t, executor.Options{Limit: 1}, func(r *rig) {
			r.submit(retried(schema.SubmitParams{Type: "fail"}, tries(2, schema.KindTaskError)))
			r.pass(0)
			began := time.Now()
			end := r.shutdown(schema.ShutdownDrain, c.timeout)
			<-end.done
			require.Equal(r, c.want, end.result)
			require.Equal(r, c.took, time.Since(began).Round(100*time.Millisecond))
		})
	}
}

func TestAPolicyThatMakesNoSenseIsRefused(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		for pointer, policy := range map[string]schema.Retry{
			"/retry/maxAttempts": {MaxAttempts: 1001},
			"/retry/delayMs":     {MaxAttempts: 2, DelayMs: new(int64(-1))},
			"/retry/factor":      {MaxAttempts: 2, Factor: 0.5},
			"/retry/maxDelayMs":  {MaxAttempts: 2, MaxDelayMs: executor.MaxMs + 1},
			"/retry/jitter":      {MaxAttempts: 2, Jitter: new(1.5)},
			"/retry/on":          {MaxAttempts: 2, On: []schema.ErrorKind{}},
			"/retry/on/1":        {MaxAttempts: 2, On: []schema.ErrorKind{schema.KindExit, schema.KindCancelled}},
			"/retry/on/0":        {MaxAttempts: 2, On: []schema.ErrorKind{"bad luck"}},
		} {
			refused := r.refused(retried(schema.SubmitParams{Type: "fail"}, &policy))
			require.Len(r, refused.Violations, 1)
			require.Equal(r, pointer, refused.Violations[0].Pointer)
		}
	})
	_, err := executor.Define("bad", func(context.Context, empty) (empty, error) { return empty{}, nil }, executor.Retry(schema.Retry{}))
	require.ErrorContains(t, err, "retry/maxAttempts: 0 is not within 1..1000")
}

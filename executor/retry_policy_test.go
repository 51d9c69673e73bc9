package executor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

func policyOf(set func(*schema.Retry)) *schema.Retry {
	p := &schema.Retry{MaxAttempts: 5, Jitter: new(float64)}
	set(p)
	return fullRetry(p)
}

// What follows an attempt depends on the policy, how many attempts count, the error and what the
// code says.
func TestWhatFollowsAnAttempt(t *testing.T) {
	const now, never = schema.Time(1_000_000), time.Duration(-1)
	usual := policyOf(func(*schema.Retry) {})
	on := policyOf(func(p *schema.Retry) { p.On = []schema.ErrorKind{schema.KindTaskError} })
	exit, plain := schema.TaskError{Kind: schema.KindExit}, schema.TaskError{Kind: schema.KindTaskError}
	busy := schema.TaskError{Kind: schema.KindTaskError, Retryable: true}
	for name, c := range map[string]struct {
		policy *schema.Retry
		spent  int32
		e      schema.TaskError
		advice advice
		after  time.Duration
	}{
		"no policy":                       {nil, 1, exit, advice{}, never},
		"no policy, and a time":           {nil, 1, busy, advice{after: time.Minute}, never},
		"the first":                       {usual, 1, exit, advice{}, time.Second},
		"the second":                      {usual, 2, exit, advice{}, 2 * time.Second},
		"the fourth":                      {usual, 4, exit, advice{}, 8 * time.Second},
		"the last":                        {usual, 5, exit, advice{}, never},
		"a kind that is not tried again":  {usual, 1, plain, advice{}, never},
		"marked as retryable":             {usual, 1, busy, advice{}, time.Second},
		"a time of its own":               {usual, 3, busy, advice{after: time.Minute}, time.Minute},
		"permanent":                       {usual, 1, exit, advice{permanent: true}, never},
		"the kinds of the policy":         {on, 1, plain, advice{}, time.Second},
		"another kind than the policy's":  {on, 1, exit, advice{}, never},
		"put off":                         {nil, 9, plain, advice{snooze: true, after: time.Hour}, time.Hour},
		"put off when none is left":       {usual, 5, plain, advice{snooze: true}, MinSnooze},
		"put off by its time-out":         {nil, 1, schema.TaskError{Kind: schema.KindTimeout}, advice{snooze: true}, never},
		"no more than the greatest delay": {policyOf(func(p *schema.Retry) { p.MaxDelayMs = 1500 }), 2, exit, advice{}, 1500 * time.Millisecond},
		"the same delay each time":        {policyOf(func(p *schema.Retry) { p.Factor = 1 }), 4, exit, advice{}, time.Second},
		"no delay":                        {policyOf(func(p *schema.Retry) { p.DelayMs = new(int64) }), 4, exit, advice{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := follows(c.policy, c.spent, &c.e, c.advice, now, 1<<31)
			if c.after == never {
				require.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			require.Equal(t, later(now, c.after), got.At)
			require.Equal(t, c.advice.snooze, got.Error == nil)
			if got.Error != nil { // another attempt follows, so its error is retryable
				require.True(t, got.Error.Retryable)
				got.Error.Retryable = c.e.Retryable
				require.Equal(t, c.e, *got.Error)
			}
		})
	}
}

// Whatever a policy says, a delay is within its bounds, and a time can be made of it.
func TestDelaysAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policyOf(func(p *schema.Retry) {
			p.MaxAttempts = MaxRetryAttempts
			p.DelayMs = new(rapid.Int64Range(0, MaxMs).Draw(t, "delay"))
			p.Factor = rapid.Float64Range(1, MaxRetryFactor).Draw(t, "factor")
			p.MaxDelayMs = rapid.Int64Range(1, MaxMs).Draw(t, "most")
			p.Jitter = new(rapid.Float64Range(0, 1).Draw(t, "jitter"))
		})
		spent := rapid.Int32Range(1, MaxRetryAttempts).Draw(t, "spent")
		d := delayAfter(p, spent, rapid.Uint32().Draw(t, "random"))
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, time.Duration(p.MaxDelayMs)*time.Millisecond)
		least := float64(min(*p.DelayMs, p.MaxDelayMs)) * (1 - *p.Jitter) * float64(time.Millisecond)
		require.GreaterOrEqual(t, float64(d), least*(1-1e-9)-1) // jitter is rounded to parts of 1<<32
	})
}

// What code says of the next attempt is found in an error that wraps it, too.
func TestAdviceIsFoundInWrappedErrors(t *testing.T) {
	cause := &Failure{schema.TaskError{Kind: schema.KindExit, Message: "exit 3", ExitCode: new(3)}}
	for _, c := range []struct {
		err       error
		want      advice
		retryable bool
	}{
		{errors.New("plain"), advice{}, false},
		{Retryable(cause, time.Second), advice{after: time.Second}, true},
		{fmt.Errorf("more: %w", Retryable(cause, -1)), advice{}, true},
		{Permanent(cause), advice{permanent: true}, false},
		{fmt.Errorf("more: %w", Snooze(time.Minute)), advice{snooze: true, after: time.Minute}, true},
	} {
		require.Equal(t, c.want, adviceOf(c.err), "%v", c.err)
		require.Equal(t, c.want, adviceOf(heard(c.err)), "%v", c.err)
		require.Equal(t, c.retryable, taskError(heard(c.err)).Retryable, "%v", c.err)
	}
	require.Equal(t, schema.KindExit, taskError(Retryable(cause, 0)).Kind, "the error is as it was but for the mark")
	require.False(t, cause.Retryable, "and is not changed")
}

// TestRerunSpendsNoAttempt has a task whose policy says nothing of an end with its process.
func TestRerunSpendsNoAttempt(t *testing.T) {
	r := Record{Task: schema.Task{Attempt: 3}, Rerun: true, History: &History{Reruns: 2}}
	r.Conditions = &schema.Conditions{Retry: policyOf(func(p *schema.Retry) { p.MaxAttempts, p.On = 2, []schema.ErrorKind{schema.KindExit} })}
	e := interrupted
	require.Equal(t, &NextAttempt{At: 7, Error: &e, Rerun: true}, r.AfterInterruption(&e, 7, 0))
	require.Equal(t, int32(1), r.spent())
	require.NotNil(t, follows(r.policy(), r.spent(), &schema.TaskError{Kind: schema.KindExit}, advice{}, 7, 0), "the second that counts")
	r.Rerun = false
	require.Nil(t, r.AfterInterruption(&e, 7, 0))
	r.Rerun, r.Conditions.Retry.On = true, nil // the policy names it
	require.False(t, r.AfterInterruption(&e, 7, 0).Rerun)
	r.Conditions = nil
	require.Equal(t, &NextAttempt{At: 7, Error: &e, Rerun: true}, r.AfterInterruption(&e, 7, 0), "without a policy, too")
	r.Rerun = false
	require.Nil(t, r.AfterInterruption(&e, 7, 0))
}

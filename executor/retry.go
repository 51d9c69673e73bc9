package executor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file decides whether and when another attempt follows one that has failed.

// The defaults of schema.Retry.
const (
	DefaultRetryDelay    = time.Second
	DefaultRetryFactor   = 2
	DefaultRetryMaxDelay = time.Hour
	DefaultRetryJitter   = 0.1
)

// The limits of schema.Retry.
const (
	MaxRetryAttempts = 1000
	MaxRetryFactor   = 100
	MaxRetryKinds    = 16
)

// MinSnooze is how long at least a task waits that has put itself off. Without it such a task
// could take a slot and the disk for itself.
const MinSnooze = 100 * time.Millisecond

// NextAttempt is how an attempt ended that another one follows.
type NextAttempt struct {
	// At is when the next attempt may begin.
	At schema.Time
	// Error is why the attempt failed. It is nil where the task has put itself off: then no
	// attempt was spent.
	Error *schema.TaskError
	// Rerun says that the attempt does not count: it did not end by itself, and the task's Rerun
	// lets it run again.
	Rerun bool
	// InputEnded says that clients send no more input to the task.
	InputEnded bool
}

// History is what a store keeps of the attempts of a task that others followed. Nobody changes
// it.
type History struct {
	DueAt    schema.Time         `json:"dueAt"`             // when the next attempt may begin
	Snoozes  int32               `json:"snoozes,omitzero"`  // attempts after which the task has put itself off
	Reruns   int32               `json:"reruns,omitzero"`   // attempts that its process did not survive, and that Rerun followed by another
	Attempts []schema.Attempt    `json:"attempts,omitzero"` // the latest that have failed, at most schema.MaxAttempts
	Written  *schema.OutputBytes `json:"written,omitzero"`  // what all of them have written
	// InputEnded says that clients send no more input: the next attempt finds the end of it.
	InputEnded bool `json:"inputEnded,omitzero"`
}

// Snooze is the error of a task's code that wants to run again after a time, for example
// because what it waits for is not there yet. It waits at least MinSnooze. No attempt is spent,
// and the task needs no Retry. A task that was told to stop, by a cancel or its time-out, ends all
// the same.
func Snooze(d time.Duration) error {
	d = max(d, 0)
	return advised{&Failure{schema.TaskError{
		Kind: schema.KindTaskError, Message: fmt.Sprintf("it wants to run again in %v", d), Retryable: true,
	}}, advice{snooze: true, after: d}}
}

// Retryable marks an error of a task's code as one that may not come again. Where another
// attempt follows, it begins after this time, or as the task's Retry says where that is 0.
func Retryable(err error, after time.Duration) error {
	e := taskError(err)
	e.Retryable = true
	return advised{&Failure{*e}, advice{after: max(after, 0)}}
}

// Permanent marks an error of a task's code as one after which no other attempt may follow,
// whatever the task's Retry says.
func Permanent(err error) error {
	e := taskError(err)
	e.Retryable = false
	return advised{&Failure{*e}, advice{permanent: true}}
}

// advised is an error with what the code says of the next attempt.
type advised struct {
	*Failure
	advice advice
}

func (a advised) Unwrap() error { return a.Failure }

// advice is what a task's code says of its next attempt. The zero value is nothing.
type advice struct {
	permanent bool          // there must be none
	snooze    bool          // there is one, and this one does not count
	after     time.Duration // it begins after this time; 0 is as the policy says, but for a snooze
}

func adviceOf(err error) advice {
	if a, ok := errors.AsType[answered](err); ok {
		return a.advice
	}
	if a, ok := errors.AsType[advised](err); ok {
		return a.advice
	}
	return advice{}
}

// follows decides what follows an attempt that has failed with e: another one, or the end, which
// is nil. spent is how many attempts count, this one included. All values of random are as likely.
func follows(policy *schema.Retry, spent int32, e *schema.TaskError, a advice, now schema.Time, random uint32) *NextAttempt {
	switch {
	case a.snooze && e.Kind != schema.KindTimeout:
		return &NextAttempt{At: later(now, max(a.after, MinSnooze))}
	case policy == nil || a.permanent || spent >= policy.MaxAttempts || !retries(policy, e):
		return nil
	case a.after > 0:
		return tried(later(now, a.after), e)
	}
	return tried(later(now, delayAfter(policy, spent, random)), e)
}

// tried is an attempt that failed with e and that another one follows: so its error is retryable,
// whatever the code said of it.
func tried(at schema.Time, e *schema.TaskError) *NextAttempt {
	again := *e
	again.Retryable = true
	return &NextAttempt{At: at, Error: &again}
}

func later(now schema.Time, d time.Duration) schema.Time { return now + schema.Time(d.Microseconds()) }

// retries reports whether another attempt may follow an error.
func retries(policy *schema.Retry, e *schema.TaskError) bool {
	if policy.On != nil {
		return slices.Contains(policy.On, e.Kind)
	}
	return e.Retryable || slices.Contains(schema.RetriedKinds[:], e.Kind)
}

// policy is that of the task, or nil.
func (r *Record) policy() *schema.Retry {
	if r.Conditions == nil {
		return nil
	}
	return r.Conditions.Retry
}

// spent is how many attempts count.
func (r *Record) spent() int32 {
	if r.History == nil {
		return r.Attempt
	}
	return r.Attempt - r.History.Snoozes - r.History.Reruns
}

// interrupted is the error of an attempt that its process did not survive.
var interrupted = schema.TaskError{Kind: schema.KindInterrupted, Retryable: true}

// RunsAgain reports whether the task runs again after an attempt that its process did not
// survive: where its Retry names such an end, as that says, and otherwise as Rerun says.
func (r *Record) RunsAgain() bool {
	if p := r.policy(); p != nil && retries(p, &interrupted) {
		return r.spent() < p.MaxAttempts
	}
	return r.Rerun
}

// AfterInterruption decides what follows an attempt that its process did not survive. It answers nil where
// that is the end, as RunsAgain. Where no Retry says anything of such an end and Rerun lets the task run again,
// it does so at once, and the attempt does not count. All values of random are as likely. What it answers depends on the arguments alone, on every processor.
func (r *Record) AfterInterruption(e *schema.TaskError, now schema.Time, random uint32) *NextAttempt {
	p := r.policy()
	if again := follows(p, r.spent(), e, advice{}, now, random); again != nil || !r.RunsAgain() {
		return again
	}
	return &NextAttempt{At: now, Error: e, Rerun: true}
}

// ShowAttempts sets the latest attempts of the task.
func (r *Record) ShowAttempts() {
	var before History
	if r.History != nil {
		before = *r.History
	}
	all := slices.Clone(before.Attempts)
	if r.State != schema.Queued && !r.StartedAt.IsZero() {
		all = append(all, schema.Attempt{
			Attempt: r.Attempt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, Error: r.Error, RanOn: cmp.Or(r.RunsOn, r.RanOn), Output: Written(before.Written, r.OutputBytes),
		})
	}
	r.Attempts = append([]schema.Attempt{}, all[max(0, len(all)-schema.MaxAttempts):]...)
}

// Written is what an attempt has written that began and ended when its task had written so much,
// or nil for nothing. A nil is no bytes.
func Written(before, after *schema.OutputBytes) *schema.AttemptOutput {
	if after == nil {
		return nil
	}
	if before == nil {
		before = new(schema.OutputBytes)
	}
	if *before == *after {
		return nil
	}
	return &schema.AttemptOutput{
		Stdout: schema.Span{From: before.Stdout, To: after.Stdout},
		Stderr: schema.Span{From: before.Stderr, To: after.Stderr},
		Log:    schema.Span{From: before.Log, To: after.Log},
	}
}

// fullRetry is a policy with all of its defaults, or nil where there is but one attempt.
func fullRetry(p *schema.Retry) *schema.Retry {
	if p == nil || p.MaxAttempts == 1 {
		return nil
	}
	full := *p
	if full.DelayMs == nil {
		full.DelayMs = new(DefaultRetryDelay.Milliseconds())
	}
	if full.Factor == 0 {
		full.Factor = DefaultRetryFactor
	}
	if full.MaxDelayMs == 0 {
		full.MaxDelayMs = DefaultRetryMaxDelay.Milliseconds()
	}
	if full.Jitter == nil {
		full.Jitter = new(DefaultRetryJitter)
	}
	full.On = slices.Clone(p.On)
	return &full
}

// retry checks a policy.
func (v *violations) retry(p *schema.Retry) {
	if p == nil {
		return
	}
	within := func(name string, n, least, most int64) {
		if n < least || n > most {
			v.add("retry/"+name, "%d is not within %d..%d", n, least, most)
		}
	}
	within("maxAttempts", int64(p.MaxAttempts), 1, MaxRetryAttempts)
	if p.DelayMs != nil {
		within("delayMs", *p.DelayMs, 0, MaxMs)
	}
	within("maxDelayMs", p.MaxDelayMs, 0, MaxMs)
	if p.Factor != 0 && !(p.Factor >= 1 && p.Factor <= MaxRetryFactor) {
		v.add("retry/factor", "%v is not within 1..%d", p.Factor, MaxRetryFactor)
	}
	if p.Jitter != nil && !(*p.Jitter >= 0 && *p.Jitter <= 1) {
		v.add("retry/jitter", "%v is not within 0..1", *p.Jitter)
	}
	switch {
	case p.On != nil && len(p.On) == 0:
		v.add("retry/on", "it has no kinds; name some, or leave it out")
	case len(p.On) > MaxRetryKinds:
		v.add("retry/on", "%d kinds are more than %d", len(p.On), MaxRetryKinds)
		return
	}
	for i, kind := range p.On {
		switch {
		case !slices.Contains(schema.ErrorKinds[:], kind):
			v.add(fmt.Sprintf("retry/on/%d", i), "%q is no kind of error: one of %q", kind, schema.ErrorKinds)
		case kind == schema.KindCancelled, kind == schema.KindExpired, kind == schema.KindDependency:
			v.add(fmt.Sprintf("retry/on/%d", i), "a task that ends as %s has not failed in an attempt; leave it out", kind)
		}
	}
}

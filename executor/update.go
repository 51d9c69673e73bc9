package executor

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file changes a task that waits.

// Update is a change of a queued task. What is nil stays as it is. Nobody changes what it points to.
type Update struct {
	Priority *int8
	// RunAt is the time before which the task does not run; the zero time is none. Of a task that
	// waits for its next attempt it is the time of that.
	RunAt *schema.Time
	// ExpiresAt is when the task ends if it has not started; the zero time is never.
	ExpiresAt *schema.Time
	// Labels are added, in place of those with the same keys. An empty value removes the label.
	Labels map[string]string
	// Group is the group of the task; "" is none.
	Group *string
	// On are the labels that an executor must have, in place of all before; empty, and not nil, is none.
	On map[string]string
}

// NotQueuedError says that a task cannot be changed, because it does not wait: it is in this
// state, or is about to be.
type NotQueuedError struct{ State schema.State }

func (e *NotQueuedError) Error() string {
	if e.State == schema.Running {
		return "the task runs; only one that waits can be changed"
	}
	return fmt.Sprintf("the task has ended, it is %s; only one that waits can be changed", e.State)
}

// Apply carries the update out on the record of a queued task. It changes no value that the
// record shares with others. After an error, which is an *InputError or a *TooLargeError, the
// record is as it was.
func (u *Update) Apply(r *Record) error {
	changed := *r
	if u.Priority != nil {
		changed.Priority = *u.Priority
	}
	var err error
	if changed.Labels, err = u.labels(r.Labels); err != nil {
		return err
	}
	c := new(schema.Conditions)
	if r.Conditions != nil {
		*c = *r.Conditions
	}
	if u.Group != nil {
		c.Group = *u.Group
	}
	if u.On != nil {
		if c.On = u.On; len(u.On) == 0 {
			c.On = nil
		}
	}
	if err := u.times(&changed, c); err != nil {
		return err
	}
	if changed.Conditions = c; c.IsZero() {
		changed.Conditions = nil
	}
	*r = changed
	return nil
}

// labels are those of a task after the update.
func (u *Update) labels(before map[string]string) (map[string]string, error) {
	if len(u.Labels) == 0 {
		return before, nil
	}
	after := maps.Clone(before)
	if after == nil {
		after = map[string]string{}
	}
	for key, value := range u.Labels {
		if after[key] = value; value == "" {
			delete(after, key)
		}
	}
	most := MaxLabels
	if _, owned := after[ownerLabel]; owned { // the server adds this one to what a submit has
		most++
	}
	if len(after) > most {
		return nil, &TooLargeError{What: "the number of labels", Size: int64(len(after)), Limit: int64(most), Cure: "remove some by an empty value"}
	}
	return after, nil
}

// times changes when a task may run and when it expires. One that has begun does not expire, and
// waits for a time only before its next attempt.
func (u *Update) times(r *Record, c *schema.Conditions) error {
	var v violations
	switch {
	case r.Attempt == 0:
		if u.RunAt != nil {
			c.RunAt = *u.RunAt
		}
		if u.ExpiresAt != nil {
			c.ExpiresAt = *u.ExpiresAt
		}
		given := u.RunAt != nil || u.ExpiresAt != nil
		if given && !c.ExpiresAt.IsZero() && c.ExpiresAt <= c.RunAt {
			v.add("expiresAt", "%v is not after %v, before which it may not begin, so the task would never run; let it expire later, or run earlier", c.ExpiresAt, c.RunAt)
		}
	case u.ExpiresAt != nil:
		v.add("expiresAt", "the task has begun, so it does not expire; leave it out")
	case u.RunAt != nil && r.History == nil:
		v.add("runAt", "the task has begun, and waits for its turn alone; leave it out")
	case u.RunAt != nil:
		h := *r.History
		h.DueAt = *u.RunAt
		r.History = &h
	}
	if v != nil {
		return &InputError{Violations: v}
	}
	return nil
}

// Update changes a queued task, and answers it as it is then, with its input. The error is a
// *NotQueuedError where the task does not wait.
func (e *Executor) Update(ctx context.Context, p *schema.UpdateParams) (schema.Task, error) {
	u, err := updateOf(p, schema.Now())
	if err != nil {
		return schema.Task{}, err
	}
	t, err := e.store.Update(ctx, p.ID, u)
	if err == nil && t.State == schema.Queued {
		t.WaitingFor = e.waiting(ctx, &t)
	}
	return t, err
}

// updateOf checks what a client asks for.
func updateOf(p *schema.UpdateParams, now schema.Time) (*Update, error) {
	if err := CheckLabels(maps.All(p.Labels)); err != nil {
		return nil, err
	}
	u := &Update{Labels: p.Labels, Group: p.Group, On: p.On}
	var v violations
	if p.Priority != nil {
		if *p.Priority < MinPriority || *p.Priority > MaxPriority {
			v.add("priority", "%d is not within %d..%d", *p.Priority, MinPriority, MaxPriority)
		}
		u.Priority = new(int8(*p.Priority))
	}
	u.RunAt = v.time("delayMs", "runAt", p.DelayMs, p.RunAt, now)
	u.ExpiresAt = v.time("expireMs", "expiresAt", p.ExpireMs, p.ExpiresAt, now)
	if p.Group != nil {
		v.name("group", *p.Group)
	}
	v.places("on", p.On)
	if v != nil {
		return nil, &InputError{Violations: v}
	}
	return u, nil
}

// time is a time that is given as one, or as milliseconds from now of which 0 is no time. It is
// nil where neither is given.
func (v *violations) time(msName, atName string, ms *int64, at, now schema.Time) *schema.Time {
	switch {
	case ms == nil && at.IsZero():
		return nil
	case ms == nil:
		return &at
	}
	v.either(*ms, 0, msName, atName)
	switch {
	case !at.IsZero():
		v.add(msName, "%s and %s exclude each other", msName, atName)
	case *ms > 0:
		at = now + schema.Time((time.Duration(*ms) * time.Millisecond).Microseconds())
	}
	return &at
}

package executor

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file checks what another process says that it has checked. A store that many processes share asks
// it of those that it does not trust: what fails here would otherwise end the program of each of them.

// Check says what of the submission Prepare would never have made. The error is an *InputError.
func (s *Submission) Check() error {
	var found violations
	if s.ID == uuid.Nil {
		found.add("id", "a task has an id; give one")
	}
	found.priority(s.Priority)
	if s.Timeout < 0 {
		found.add("timeoutMs", "%v is less than 0", s.Timeout)
	}
	if s.Grace < 0 {
		found.add("graceMs", "%v is less than 0", s.Grace)
	}
	if c := s.Conditions; c != nil {
		found.conditions(c, s.ID)
	}
	return found.err()
}

// Check says what of the update a client could not have asked for. The error is an *InputError.
func (u *Update) Check() error {
	var found violations
	if u.Priority != nil {
		found.priority(*u.Priority)
	}
	if u.Group != nil {
		found.name("group", *u.Group)
	}
	return found.err()
}

func (v *violations) priority(n int8) {
	if n < MinPriority || n > MaxPriority {
		v.add("priority", "%d is not within %d..%d", n, MinPriority, MaxPriority)
	}
}

// conditions checks those of a task with the id, as they are recorded.
func (v *violations) conditions(c *schema.Conditions, id uuid.UUID) {
	v.after(c.After, id)
	v.name("group", c.Group)
	v.name("key", c.Key)
	v.needs(c.Needs)
	v.places("on", c.On)
	v.retry(c.Retry)
	if r := c.Retry; r != nil && (r.DelayMs == nil || r.Jitter == nil) {
		v.add("retry", "a recorded one has its delayMs and its jitter")
	}
	v.dedupe(c.Dedupe)
	if c.Parent != uuid.Nil && c.Parent == id {
		v.add("parent", "a task cannot be a part of itself")
	}
}

func (v violations) err() error {
	if v == nil {
		return nil
	}
	return &InputError{Violations: v}
}

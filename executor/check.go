package executor

import (
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file checks what another process says that it has checked. A store that many processes share asks
// it of those that it does not trust: what fails here would otherwise be kept, shown and run by each of them, or end
// its program. All of them must come to the same, so nothing that differs from one to the other may decide: which types
// there are, which time zones, what the time is.

// Check says what of the submission Prepare would never have made, where there are these resources. The error is an
// *InputError or a *TooLargeError.
func (s *Submission) Check(resources map[string]int64) error {
	if err := CheckLabels(maps.All(withoutOwner(s.Labels))); err != nil {
		return err
	}
	var found violations
	if s.ID == uuid.Nil {
		found.add("id", "a task has an id; give one")
	}
	found.typeName("type", s.Type)
	found.priority(s.Priority)
	found.duration("timeoutMs", s.Timeout)
	found.duration("graceMs", s.Grace)
	if s.CreatedAt <= 0 {
		found.add("createdAt", "%v is not after the beginning of 1970", s.CreatedAt)
	} else {
		found.at("createdAt", s.CreatedAt)
	}
	if !s.Input.IsValid() {
		found.add("input", "it is no JSON")
	}
	if c := s.Conditions; c != nil {
		found.conditions(c, s.ID)
		found.recorded(c)
		found = append(found, missing(c.Needs, resources)...)
	}
	return found.err()
}

// Check says what of the update a client could not have asked for. The error is an *InputError or a *TooLargeError.
func (u *Update) Check() error {
	if err := CheckLabels(maps.All(u.Labels)); err != nil {
		return err
	}
	var found violations
	if u.Priority != nil {
		found.priority(*u.Priority)
	}
	if u.RunAt != nil {
		found.at("runAt", *u.RunAt)
	}
	if u.ExpiresAt != nil {
		found.at("expiresAt", *u.ExpiresAt)
	}
	if u.Group != nil {
		found.name("group", *u.Group)
	}
	found.places("on", u.On)
	return found.err()
}

// Check says what of the cancel no executor would ask for. The error is a *TooLargeError or an *InputError.
func (c Cancellation) Check() error {
	if n := len(c.Reason); n > maxErrorText {
		return &TooLargeError{What: "the bytes of the reason", Size: int64(n), Limit: maxErrorText, Cure: "shorten it"}
	}
	var found violations
	if !utf8.ValidString(c.Reason) {
		found.add("reason", "%q is not UTF-8; give it in UTF-8", schema.Cut(c.Reason))
	}
	return found.err()
}

// maxOwnerBytes bounds the label that a server adds to those of a submit: the name of a client has that many
// characters at most, of up to four bytes.
const maxOwnerBytes = 4 * MaxLabelBytes

// withoutOwner are labels without that one, if it is within its bound.
func withoutOwner(labels map[string]string) map[string]string {
	owner, owned := labels[ownerLabel]
	if !owned || len(owner) > maxOwnerBytes || !utf8.ValidString(owner) {
		return labels
	}
	rest := maps.Clone(labels)
	delete(rest, ownerLabel)
	return rest
}

func (v *violations) typeName(member, name string) {
	if !isTypeName(name) {
		v.add(member, "%q does not match %s", schema.Cut(name), typeNamePattern)
	}
}

func (v *violations) priority(n int8) {
	if n < MinPriority || n > MaxPriority {
		v.add("priority", "%d is not within %d..%d", n, MinPriority, MaxPriority)
	}
}

func (v *violations) duration(member string, d time.Duration) {
	if most := time.Duration(MaxMs) * time.Millisecond; d < 0 || d > most {
		v.add(member, "%v is not within 0..%v", d, most)
	}
}

// at checks a time, which may come from a number.
func (v *violations) at(member string, at schema.Time) {
	if _, err := at.MarshalText(); err != nil {
		v.add(member, "%v", err)
	}
}

// conditions checks those of a task with the id.
func (v *violations) conditions(c *schema.Conditions, id uuid.UUID) {
	v.after(c.After, id)
	v.name("group", c.Group)
	v.name("key", c.Key)
	v.needs(c.Needs)
	v.places("on", c.On)
	v.retry(c.Retry)
	v.dedupe(c.Dedupe)
	if c.Parent != uuid.Nil && c.Parent == id {
		v.add("parent", "a task cannot be a part of itself")
	}
}

// recorded checks what conditions have when they are recorded: all defaults.
func (v *violations) recorded(c *schema.Conditions) {
	if c.IsZero() {
		v.add("conditions", "they are empty; leave them out")
	}
	v.at("runAt", c.RunAt)
	v.at("expiresAt", c.ExpiresAt)
	for i, d := range c.After {
		if int(d.On) >= len(schema.OnNames) {
			v.add(fmt.Sprintf("after/%d", i), "%d is no way to end", d.On)
		}
	}
	if r := c.Retry; r != nil && (r.DelayMs == nil || r.Jitter == nil || r.Factor == 0 || r.MaxDelayMs == 0) {
		v.add("retry", "a recorded one has its delayMs, factor, maxDelayMs and jitter")
	}
}

func (v violations) err() error {
	if v == nil {
		return nil
	}
	return &InputError{Violations: v}
}

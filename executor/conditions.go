package executor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// The limits of conditions.
const (
	MaxAfter     = 1000 // dependencies of a task
	MaxNeeds     = 16   // resources that a task needs
	MaxNameBytes = 256  // of a group, a key, and a resource
)

// conditionsOf checks what a submit says of when its task may run, and adds what the type and the
// group say. It answers nil where that is nothing.
func (e *Executor) conditionsOf(t *Type, p *schema.SubmitParams, id uuid.UUID, now schema.Time) (*schema.Conditions, error) {
	if p.DelayMs == 0 && p.ExpireMs == 0 && p.Conditions.IsZero() && !t.hasConditions() {
		return nil, nil
	}
	c, err := t.withDefaults(p.Conditions, p.Input)
	if err != nil {
		return nil, err
	}
	var found violations
	found.either(p.DelayMs, c.RunAt, "delayMs", "runAt")
	found.either(p.ExpireMs, c.ExpiresAt, "expireMs", "expiresAt")
	found.window(p)
	c.RunAt = absolute(c.RunAt, p.DelayMs, now)
	c.ExpiresAt = absolute(c.ExpiresAt, p.ExpireMs, now)
	if c.RunAt <= now {
		c.RunAt = 0
	}
	needs := c.Needs
	addDefaults(&c, e.groupDefaults(c.Group), now)
	found.conditions(&c, id)
	if found != nil {
		return nil, &InputError{Violations: found}
	}
	if err := e.checkNeeds(c.Needs); err != nil {
		if needs == nil {
			err = needsOfGroup(err, c.Group)
		}
		return nil, err
	}
	c.Retry = fullRetry(c.Retry)
	if c.IsZero() {
		return nil, nil
	}
	if len(c.Needs) == 0 {
		c.Needs = nil
	}
	if len(c.On) == 0 {
		c.On = nil
	}
	c.After, c.Needs, c.On = slices.Clone(c.After), maps.Clone(c.Needs), maps.Clone(c.On)
	if c.Dedupe != nil {
		c.Dedupe = new(*c.Dedupe)
	}
	return &c, nil
}

func absolute(at schema.Time, ms int64, now schema.Time) schema.Time {
	if ms == 0 {
		return at
	}
	return now + schema.Time((time.Duration(ms) * time.Millisecond).Microseconds())
}

// violations are what is wrong with params.
type violations []schema.Violation

func (v *violations) add(name, format string, args ...any) {
	*v = append(*v, schema.Violation{Pointer: "/" + name, Message: fmt.Sprintf(format, args...)})
}

func (v *violations) either(ms int64, at schema.Time, msName, atName string) {
	if ms != 0 && !at.IsZero() {
		v.add(msName, "%s and %s exclude each other", msName, atName)
	}
	if ms < 0 || ms > MaxMs {
		v.add(msName, "%d is not within 0..%d", ms, MaxMs)
	}
}

// window checks that the task can begin before it expires. Whether it can is the same at each
// time, so that a submit which is sent again is answered as before: a time that has passed is
// no mistake, and the task ends as expired.
func (v *violations) window(p *schema.SubmitParams) {
	const cure = "so the task would never run; let it expire later, or run earlier"
	if p.ExpireMs > 0 && p.ExpireMs <= p.DelayMs {
		v.add("expireMs", "%d is not more than delayMs, %d, "+cure, p.ExpireMs, p.DelayMs)
	}
	if !p.ExpiresAt.IsZero() && p.ExpiresAt <= p.RunAt {
		v.add("expiresAt", "%v is not after %v, before which it may not begin, "+cure, p.ExpiresAt, p.RunAt)
	}
}

func (v *violations) after(all []schema.Dependency, id uuid.UUID) {
	if len(all) > MaxAfter {
		v.add("after", "%d tasks are more than %d; let some of them come before a task of type noop, and this one after that", len(all), MaxAfter)
		return
	}
	seen := make(map[uuid.UUID]bool, len(all))
	for i, d := range all {
		name := fmt.Sprintf("after/%d", i)
		switch {
		case d.ID == id:
			v.add(name, "a task cannot come after itself")
		case seen[d.ID]:
			v.add(name, "%v is there twice", d.ID)
		}
		seen[d.ID] = true
	}
}

func (v *violations) name(member, name string) {
	if len(name) > MaxNameBytes {
		v.add(member, "%d bytes are more than %d", len(name), MaxNameBytes)
	}
	switch {
	case !utf8.ValidString(name):
		v.add(member, "%q is not UTF-8; give it in UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl): // it would be part of lines that people read
		v.add(member, "%q has a control character; leave it out", schema.Cut(name))
	}
}

func (v *violations) needs(needs map[string]int64) {
	if len(needs) > MaxNeeds {
		v.add("needs", "%d resources are more than %d", len(needs), MaxNeeds)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		if name == "" {
			v.add("needs", "a resource has no name; name it, as gpu")
			continue
		}
		v.name(placeOf(name), name)
		if amount := needs[name]; amount < 1 {
			v.add(placeOf(name), "%d is less than 1", amount)
		}
	}
}

func (v *violations) dedupe(d *schema.Dedupe) {
	if d == nil {
		return
	}
	if d.Key == "" {
		v.add("dedupe/key", "it is empty; give the name that duplicates have in common")
	}
	v.name("dedupe/key", d.Key)
	if d.On != "" && !slices.Contains(schema.DedupeOns[:], d.On) {
		v.add("dedupe/on", "%q is none of %q", d.On, schema.DedupeOns)
	}
	switch {
	case d.WindowMs < 0 || d.WindowMs > MaxMs:
		v.add("dedupe/windowMs", "%d is not within 0..%d", d.WindowMs, MaxMs)
	case d.WindowMs > 0 && d.On == schema.DedupeReplace:
		v.add("dedupe/windowMs", "nothing is left to replace of a task that has ended; leave windowMs out, or reuse or reject in place of replace")
	}
}

// placeOf is the place of what a task needs of a resource.
func placeOf(resource string) string {
	return string(jsontext.Pointer("needs").AppendToken(schema.Cut(resource)))
}

// needsOfGroup is the error of a submit whose group gives it such needs.
func needsOfGroup(err error, group string) error {
	refused, ok := errors.AsType[*InputError](err)
	if !ok {
		return err
	}
	var v violations
	for _, found := range refused.Violations {
		v.add("group", "the group %q gives its tasks needs, and %s; or give needs, or the group other defaults", group, found.Message)
	}
	return &InputError{Violations: v}
}

// checkNeeds says what a task needs of which there is never enough here.
func (e *Executor) checkNeeds(needs map[string]int64) error {
	if len(needs) == 0 { // most need nothing
		return nil
	}
	info := e.store.Info()
	if info.Unread { // the store says it when it is known
		return nil
	}
	return missing(needs, info.Resources).err()
}

// missing says what a task needs of which these resources never have enough.
func missing(needs, resources map[string]int64) (v violations) {
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		need := needs[name]
		switch total, there := resources[name]; {
		case !there:
			v.add(placeOf(name), "there is no resource %q here; start the server with --resource %s=%d, or more", schema.Cut(name), schema.Cut(name), need)
		case need > total:
			v.add(placeOf(name), "%d is more than there is of %q, which is %d; need less, or start the server with --resource %s=%d", need, schema.Cut(name), total, schema.Cut(name), need)
		}
	}
	return v
}

package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file has what groups give their tasks where a submit and the type say nothing. The store keeps
// it as a text with the other settings of a group. The executor has it in
// memory, so that a submit asks no store.

// readDefaults reads the defaults of all groups.
func (e *Executor) readDefaults() error {
	all, err := e.store.Groups(context.Background())
	if err != nil {
		return fmt.Errorf("read the groups of the store: %w", err)
	}
	known := map[string]*schema.GroupDefaults{}
	for i := range all.Groups {
		g := &all.Groups[i]
		d, err := defaultsOf(g.Settings)
		if err != nil {
			e.log.Error("the defaults of a group cannot be read, so its tasks get none until it has others", "group", g.Name, "error", err)
		} else if d != nil {
			known[g.Name] = d
		}
	}
	e.defaults.Store(&known)
	return nil
}

// keepDefaults notes the defaults of a group. It needs regrouping.
func (e *Executor) keepDefaults(group string, d *schema.GroupDefaults) {
	known := maps.Clone(*e.defaults.Load())
	if known[group] = d; d == nil {
		delete(known, group)
	}
	e.defaults.Store(&known)
}

// defaultsAge is how old what is known of the defaults of groups may be where other processes
// change them, too.
const defaultsAge = time.Second

// refreshDefaults reads the defaults of groups again where what is known of them is old.
func (e *Executor) refreshDefaults() {
	e.regrouping.Lock()
	defer e.regrouping.Unlock()
	if time.Since(e.defaultsRead) < defaultsAge {
		return
	}
	e.defaultsRead = time.Now()
	if err := e.readDefaults(); err != nil && !errors.Is(err, ErrStoreUnavailable) { // the store tells of that fault
		e.log.Warn("the defaults of groups are as they were", "error", err)
	}
}

// groupDefaults are those of a group, or nil.
func (e *Executor) groupDefaults(group string) *schema.GroupDefaults {
	if group == "" {
		return nil
	}
	if e.shared {
		e.refreshDefaults()
	}
	return (*e.defaults.Load())[group]
}

// defaultsOf are the defaults in the settings of a group, or nil.
func defaultsOf(s plan.Settings) (d *schema.GroupDefaults, err error) {
	if s.Defaults == "" {
		return nil, nil
	}
	d = new(schema.GroupDefaults)
	return d, json.Unmarshal([]byte(s.Defaults), d)
}

// defaultsText are defaults as the settings of a group have them. Those that say nothing are the
// empty text.
func defaultsText(d *schema.GroupDefaults) (string, error) {
	text, err := json.Marshal(d, json.Deterministic(true))
	if err != nil || string(text) == "{}" {
		return "", err
	}
	return string(text), nil
}

// addDefaults adds what a group says of when a task may run, where the conditions say nothing of the
// same. The time in which the task must have begun counts from its runAt on, which may be 0 for now.
func addDefaults(c *schema.Conditions, d *schema.GroupDefaults, now schema.Time) {
	if d == nil {
		return
	}
	if c.Retry == nil {
		c.Retry = d.Retry
	}
	if c.Key == "" {
		c.Key = d.Key
	}
	if c.Needs == nil {
		c.Needs = d.Needs
	}
	if c.On == nil {
		c.On = d.On
	}
	if c.ExpiresAt.IsZero() && d.ExpireMs > 0 {
		c.ExpiresAt = absolute(0, d.ExpireMs, max(now, c.RunAt))
	}
}

// addDefaults adds what a group says of the run of a task, where neither its submit nor the type has
// said it.
func (r *Record) addDefaults(d *schema.GroupDefaults, p *schema.SubmitParams) {
	if d == nil {
		return
	}
	if p.Priority == nil {
		r.Priority = int8(d.Priority)
	}
	if r.Timeout == 0 && p.TimeoutMs != schema.NoTimeout {
		r.Timeout = time.Duration(d.TimeoutMs) * time.Millisecond
	}
}

// checkDefaults says what is wrong with the defaults of a group.
func (e *Executor) checkDefaults(d *schema.GroupDefaults) error {
	var found violations
	if d.Priority < MinPriority || d.Priority > MaxPriority {
		found.add("priority", "%d is not within %d..%d", d.Priority, MinPriority, MaxPriority)
	}
	found.either(d.TimeoutMs, 0, "timeoutMs", "")
	found.either(d.ExpireMs, 0, "expireMs", "")
	found.name("key", d.Key)
	found.needs(d.Needs)
	found.places("on", d.On)
	found.retry(d.Retry)
	if found == nil {
		if refused, ok := errors.AsType[*InputError](e.checkNeeds(d.Needs)); ok {
			found = refused.Violations
		}
	}
	if found == nil {
		return nil
	}
	for i := range found {
		found[i].Pointer = "/defaults" + found[i].Pointer
	}
	return &InputError{Violations: found}
}

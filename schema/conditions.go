package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Conditions are what a task waits for before it may run, beside a slot, and how it belongs to
// other tasks. The zero value is nothing.
type Conditions struct {
	RunAt     Time         `json:"runAt,omitzero" jsonschema:"the task does not run before this time"`
	ExpiresAt Time         `json:"expiresAt,omitzero" jsonschema:"if the task has not started by then, it fails with kind expired"`
	After     []Dependency `json:"after,omitzero" jsonschema:"the tasks that must end before this one may run: ids, each with how its task must end behind a colon: success, which is the default, failure or finish" schema:"maxItems=1000"`
	Group     string       `json:"group,omitzero" jsonschema:"the group in which the task counts; a group has a limit and a rate, and can be paused" schema:"maxLength=256"`
	Key       string       `json:"key,omitzero" jsonschema:"tasks of one key run one at a time, in the order of their submits" schema:"maxLength=256"`
	// Needs are amounts of resources, more than 0.
	Needs map[string]int64 `json:"needs,omitzero" jsonschema:"how much of each resource the task has while it runs; it starts when all of it is free" schema:"maxProperties=16,minimum=1"`
	// On are labels of executors, each with a value.
	On map[string]string `json:"on,omitzero" jsonschema:"the labels that an executor must have to run the task, as serve --label gives them: each with this value" schema:"maxProperties=16,maxLength=256"`
	// Retry is what follows an attempt that fails. It is nil where the task has one attempt.
	Retry *Retry `json:"retry,omitzero" jsonschema:"whether and when the task is tried again after an attempt that has failed; where absent as the type says"`
	// Dedupe is nil where other tasks have no part in what becomes of the submit.
	Dedupe *Dedupe `json:"dedupe,omitzero" jsonschema:"what becomes of the submit while there is a task of the same dedupe key"`
	// Parent is the task of which this one is a part, or the nil id. The task waits for nothing
	// because of it.
	Parent uuid.UUID `json:"parent,omitzero" jsonschema:"the task of which this one is a part: where that is cancelled, so is this one"`
	// RetryOf is a note, and the task waits for nothing because of it. The nil id is none.
	RetryOf uuid.UUID `json:"retryOf,omitzero" jsonschema:"the task of which this one is another run, as a note"`
}

// IsZero reports whether there is nothing to wait for.
func (c *Conditions) IsZero() bool {
	return c.RunAt.IsZero() && c.ExpiresAt.IsZero() && len(c.After) == 0 && c.Group == "" && c.Key == "" && len(c.Needs) == 0 && len(c.On) == 0 && c.Retry == nil && c.Dedupe == nil &&
		c.Parent == uuid.Nil && c.RetryOf == uuid.Nil
}

// RunsWith reports whether an executor that has labels has all those of On. It is true of nil.
func (c *Conditions) RunsWith(labels map[string]string) bool {
	if c == nil {
		return true
	}
	for name, value := range c.On {
		if has, found := labels[name]; !found || has != value {
			return false
		}
	}
	return true
}

// Dependency is a task that must end before another may run. As a text it is the id, or the
// id, a colon and On.
type Dependency struct {
	ID uuid.UUID
	On On
}

// BranchNotTaken reports whether a task did not run because the task that it comes after, with
// OnFailure, has completed.
func (t *Task) BranchNotTaken() bool {
	if t.Error == nil || t.Error.Kind != KindDependency || t.Conditions == nil {
		return false
	}
	return slices.Contains(t.Conditions.After, Dependency{t.Error.Cause, OnFailure})
}

// On is how a task must end for one that comes after it.
type On uint8

// How a task must end.
const (
	OnSuccess On = iota // as completed
	OnFailure           // as failed or cancelled
	OnFinish            // in any way
)

// OnNames are the names of On, indexed by it.
var OnNames = [...]string{"success", "failure", "finish"}

// Met reports whether a task that ended in a state ended as it must.
func (on On) Met(ended State) bool {
	switch on {
	case OnSuccess:
		return ended == Completed
	case OnFailure:
		return ended != Completed
	}
	return true
}

// MarshalText writes the id, and how the task must end where that is not by success.
func (d Dependency) MarshalText() ([]byte, error) {
	if d.On == OnSuccess {
		return []byte(d.ID.String()), nil
	}
	return []byte(d.ID.String() + ":" + OnNames[d.On]), nil
}

func (Dependency) form() string {
	return "the id of a task, alone or with :" + strings.Join(OnNames[:], " or :") + " behind it"
}

// UnmarshalText reads what MarshalText writes.
func (d *Dependency) UnmarshalText(text []byte) error {
	id, on, given := strings.Cut(string(text), ":")
	if !given {
		on = OnNames[OnSuccess]
	}
	for i, name := range OnNames {
		if name == on {
			d.On = On(i)
			return d.ID.UnmarshalText([]byte(id))
		}
	}
	return fmt.Errorf("%q does not say how a task must end: want one of %q", on, OnNames)
}

// Waiting is something that a queued task waits for. Members that its kind does not need are
// absent.
type Waiting struct {
	Kind    WaitingKind `json:"kind" jsonschema:"what the task waits for"`
	Message string      `json:"message" jsonschema:"the same, for a person"`
	// IDs are the first tasks that must end, of Count in all; the task that has the key; or
	// the task that waits for the resource before this one.
	IDs    []uuid.UUID `json:"ids,omitzero" jsonschema:"the tasks for whose end it waits: at most 10" schema:"maxItems=10"`
	Count  int         `json:"count,omitzero" jsonschema:"how many tasks must end" schema:"minimum=0"`
	Until  Time        `json:"until,omitzero" jsonschema:"when it stops waiting for this"`
	Name   string      `json:"name,omitzero" jsonschema:"the name of the group, the key, the resource, the type or the executor, or the file of the outbox"`
	Amount int64       `json:"amount,omitzero" jsonschema:"how much of the resource it needs" schema:"minimum=0"`
	Free   *int64      `json:"free,omitzero" jsonschema:"how much of the resource is free"`
	// Error has no StderrTail, and a message of at most MaxEarlierText bytes.
	Error *TaskError `json:"error,omitzero" jsonschema:"why its last attempt failed, where it waits for the next one"`
	Total *int64     `json:"total,omitzero" jsonschema:"how much there is of the resource, or the limit of the group"`
}

// WaitingKind is a kind of what a queued task waits for.
type WaitingKind string

// What a queued task waits for.
const (
	WaitsForSlot       WaitingKind = "slot"       // its turn
	WaitsForTime       WaitingKind = "time"       // its runAt
	WaitsForRetry      WaitingKind = "retry"      // the time of its next attempt
	WaitsForDependency WaitingKind = "dependency" // the end of other tasks
	WaitsForKey        WaitingKind = "key"        // the task that has its key, or comes before it
	WaitsForGroup      WaitingKind = "group"      // a slot of its group
	WaitsForRate       WaitingKind = "rate"       // the rate of its group
	WaitsForResource   WaitingKind = "resource"   // what it needs
	WaitsForResume     WaitingKind = "paused"     // everything, or its group, is paused
	WaitsForType       WaitingKind = "type"       // an executor that runs its type
	WaitsForExecutor   WaitingKind = "executor"   // an executor that has the labels of its On
	WaitsForOutbox     WaitingKind = "outbox"     // the namespace, which has not seen it, to be reached
)

// WaitingKinds are all kinds of what a queued task waits for.
var WaitingKinds = [...]WaitingKind{
	WaitsForSlot, WaitsForTime, WaitsForRetry, WaitsForDependency, WaitsForKey, WaitsForGroup, WaitsForRate, WaitsForResource, WaitsForResume, WaitsForType,
	WaitsForExecutor, WaitsForOutbox,
}

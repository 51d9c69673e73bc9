package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Terms are what a task waits for before it may run. The zero value is nothing. They do
// not change while a planner has the task.
type Terms struct {
	// NotBefore is the earliest time at which the task may run.
	NotBefore schema.Time
	// ExpiresAt is when the task ends if it has not started.
	ExpiresAt schema.Time
	// After are the tasks that must end first. No id is there twice.
	After []Dependency
	// Group is the name of the group in which the task counts, or "".
	Group string
	// Key is a name of which one task runs at a time, in the order of their numbers,
	// or "".
	Key string
	// Needs are the resources that the task has while it runs, sorted by name. No name
	// is there twice.
	Needs []Need
}

// Dependency is a task that must end before another may run.
type Dependency struct {
	ID uuid.UUID
	On On
}

// On is how a task must end for one that comes after it.
type On uint8

// How a task must end.
const (
	OnSuccess On = iota // as completed
	OnFailure           // as failed or cancelled
	OnFinish            // in any way
)

// Met reports whether a task that ended in a state ended as it must.
func (on On) Met(ended schema.State) bool {
	switch on {
	case OnSuccess:
		return ended == schema.Completed
	case OnFailure:
		return ended != schema.Completed
	}
	return true
}

// Need is how much of a resource a task has while it runs: more than 0.
type Need struct {
	Name   string
	Amount int64
}

// Task is a task as a planner has it: a part of a store's record. What is public is set
// before Add and does not change while a planner has it. A Task is not used again for
// another task.
type Task struct {
	ID       uuid.UUID
	Type     string
	Priority int8
	// Order rises with each task that is submitted. No two tasks have the same.
	Order uint64
	Terms *Terms

	stage   stage
	open    int32 // dependencies that have not ended
	due     int32 // position in Planner.due
	expiry  int32 // position in Planner.expiries
	waiting int32 // position in key.waiting or lane.tasks
	lane    *lane // while it stands in one
}

// stage is where a task is on its way.
type stage uint8

const (
	absent    stage = iota // not in the planner
	dependent              // waits for other tasks
	delayed                // waits for its time
	keyed                  // waits for its turn among the tasks of its key
	ready                  // stands in a lane
	taken                  // runs, or is about to
)

// Waits reports whether a planner has the task and it was not taken.
func (t *Task) Waits() bool { return t.stage != absent && t.stage != taken }

// before is the order in which tasks run.
func before(a, b *Task) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return a.Order < b.Order
}

// The orders of the heaps of tasks.
type (
	byDue    struct{}
	byExpiry struct{}
	byOrder  struct{} // among the tasks of a key
	byTurn   struct{} // in a lane
)

func (byDue) before(a, b *Task) bool {
	if a.Terms.NotBefore != b.Terms.NotBefore {
		return a.Terms.NotBefore < b.Terms.NotBefore
	}
	return before(a, b)
}
func (byDue) position(t *Task) *int32 { return &t.due }

func (byExpiry) before(a, b *Task) bool {
	if a.Terms.ExpiresAt != b.Terms.ExpiresAt {
		return a.Terms.ExpiresAt < b.Terms.ExpiresAt
	}
	return before(a, b)
}
func (byExpiry) position(t *Task) *int32 { return &t.expiry }

func (byOrder) before(a, b *Task) bool  { return a.Order < b.Order }
func (byOrder) position(t *Task) *int32 { return &t.waiting }

func (byTurn) before(a, b *Task) bool  { return before(a, b) }
func (byTurn) position(t *Task) *int32 { return &t.waiting }

package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Task is a task as a planner has it: a part of a store's record. The exported fields are set before Add, and
// do not change while a planner has the task. While it is suspended, Priority may change, and Conditions may be
// others with the same After. A Task must not be used again for another task.
type Task struct {
	ID       uuid.UUID
	Type     string
	Priority int8
	stage    stage
	lined    bool // it is in the line of turns, and not in its heap
	// Attempt is the number of the attempt that the task waits for, or 0 if it has had none.
	Attempt int32
	// Order is the order number. It rises with each task that is submitted.
	Order uint64
	// Conditions must not be nil.
	Conditions *schema.Conditions
	// Value is for the store. The planner does not use it.
	Value any

	open    int32 // dependencies that have not ended
	due     int32 // position in Planner.due
	expiry  int32 // position in Planner.expiries
	waiting int32 // position in key.waiting or lane.tasks
	kind    *kind // while it waits
	lane    *lane // while it stands in one
	edge    *Edge // to the first task that it waited for when it was added; the others are its siblings
}

// stage is what a task waits for.
type stage uint8

const (
	absent    stage = iota // not in the planner
	suspended              // taken out until it is resumed or removed
	dependent              // waits for other tasks
	delayed                // waits for its time
	keyed                  // waits for its turn among the tasks of its key
	ready                  // stands in a lane
	taken                  // runs, or is about to
)

// Waits reports whether a planner has the task, and it was not taken.
func (t *Task) Waits() bool { return t.stage > suspended && t.stage != taken }

// Taken reports whether the task was taken, and not released.
func (t *Task) Taken() bool { return t.stage == taken }

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
	if a.Conditions.RunAt != b.Conditions.RunAt {
		return a.Conditions.RunAt < b.Conditions.RunAt
	}
	return before(a, b)
}
func (byDue) position(t *Task) *int32 { return &t.due }

func (byExpiry) before(a, b *Task) bool {
	if a.Conditions.ExpiresAt != b.Conditions.ExpiresAt {
		return a.Conditions.ExpiresAt < b.Conditions.ExpiresAt
	}
	return before(a, b)
}
func (byExpiry) position(t *Task) *int32 { return &t.expiry }

func (byOrder) before(a, b *Task) bool  { return a.Order < b.Order }
func (byOrder) position(t *Task) *int32 { return &t.waiting }

func (byTurn) before(a, b *Task) bool  { return before(a, b) }
func (byTurn) position(t *Task) *int32 { return &t.waiting }

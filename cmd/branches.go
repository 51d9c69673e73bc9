package cmd

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// branches remembers the tasks of a graph that did not run because a branch was not taken: a task on
// ":failure" of one that completed, and what comes after it. They are no failures. Tasks are to be asked
// for in the order of their ends.
type branches map[uuid.UUID]bool

// notTaken reports whether a task is one of them, and remembers it.
func (b branches) notTaken(t *schema.Task) bool {
	if !t.BranchNotTaken() && (!failedByOther(t) || !b[t.Error.Cause]) {
		return false
	}
	b[t.ID] = true
	return true
}

// failedByOther reports whether a task failed because another one did not end as it must.
func failedByOther(t *schema.Task) bool {
	return t.Error != nil && t.Error.Kind == schema.KindDependency
}

package executor

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file has the limits of trees of tasks, and why a task cannot be a part of another one.

// The limits of a tree of tasks.
const (
	MaxChildren = 100_000 // children of a task that have not ended
	MaxDepth    = 100     // tasks above a task
)

// refusedParent is the error of a submit whose parent cannot have it as a child.
func refusedParent(format string, args ...any) error {
	return &InputError{Violations: []schema.Violation{{Pointer: "/parent", Message: fmt.Sprintf(format, args...)}}}
}

// UnknownParent is the error of a submit whose parent is not known.
func UnknownParent(id uuid.UUID, why error) error {
	if errors.Is(why, ErrTaskGone) {
		return EndedParent(id)
	}
	return refusedParent("%v is not known; submit it before, or leave it out", id)
}

// EndedParent is the error of a submit whose parent is final.
func EndedParent(id uuid.UUID) error {
	return refusedParent("%v has ended, and no part is added to a task that has ended; leave it out", id)
}

// CancelledParent is the error of a submit whose parent is being cancelled.
func CancelledParent(id uuid.UUID) error {
	return refusedParent("%v is being cancelled, with all of its parts; leave it out", id)
}

// DeepParent is the error of a submit whose parent has as many tasks above it as a task can have.
func DeepParent(id uuid.UUID) error {
	return refusedParent("%v is at a depth of %d, the most there is; name a task above it", id, MaxDepth)
}

// TooManyChildren is the error of a submit whose parent has as many children as it can have.
func TooManyChildren(id uuid.UUID) error {
	return &FullError{
		What: fmt.Sprintf("the children of %v that have not ended", id), Limit: MaxChildren, Cure: "wait until some of them have ended",
	}
}

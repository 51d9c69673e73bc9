package executor

import (
	"context"

	"github.com/google/uuid"
)

// TreeWalk is how far a walk through the tasks below a task has come. It goes into a task when
// that has ended: from then on the task gets no more children. So each task is visited once.
type TreeWalk struct {
	// Path has the tasks whose children are being visited, the lowest last.
	Path []TreeStage
}

// TreeStage is a task with the place of its last child that a walk has behind it.
type TreeStage struct {
	Parent uuid.UUID
	Behind uint64
}

// WalkBelow begins a walk below a task that has ended.
func WalkBelow(id uuid.UUID) *TreeWalk { return &TreeWalk{Path: []TreeStage{{Parent: id}}} }

// OpenBelow goes on with a walk, as Store.OpenBelow.
func (e *Executor) OpenBelow(ctx context.Context, w *TreeWalk) (uuid.UUID, error) {
	return e.store.OpenBelow(ctx, w)
}

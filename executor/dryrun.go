package executor

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// DryRun answers what Submit would answer to a prepared task, and records nothing. Of a new task,
// Task is the task as it would be, with what it would wait for.
func (e *Executor) DryRun(ctx context.Context, s Submission) (Submitted, error) {
	if !e.stop.admit() {
		return Submitted{}, ErrShuttingDown
	}
	defer e.stop.admitted()
	answer, err := e.store.DryRun(ctx, s)
	if t := answer.Task; err == nil && answer.Err == nil && t.State == schema.Queued {
		t.WaitingFor = e.waiting(t)
	}
	return answer, err
}

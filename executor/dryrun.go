package executor

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// DryRun answers what Submit would answer to prepared tasks, and records nothing. Of a new task,
// Task is the task as it would be, with what it would wait for.
func (e *Executor) DryRun(ctx context.Context, submissions []Submission) ([]Submitted, error) {
	if !e.stop.admit() {
		return nil, ErrShuttingDown
	}
	defer e.stop.admitted()
	answers, err := e.store.DryRun(ctx, submissions)
	for i := range answers {
		if t := answers[i].Task; answers[i].Err == nil && t.State == schema.Queued {
			t.WaitingFor = e.waiting(ctx, t)
		}
	}
	return answers, err
}

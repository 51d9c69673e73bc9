package rpc

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// update changes a task that waits.
func (s *session) update(ctx context.Context, p *schema.UpdateParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	task, err := s.executor.Update(ctx, p)
	task.Input = nil
	return task, taskError(err, p.ID)
}

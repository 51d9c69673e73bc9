package rpc

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// retry submits tasks again that have ended.
func (s *session) retry(ctx context.Context, p *schema.RetryParams) (any, error) {
	if s.leaving {
		return nil, errLeaving
	}
	tasks, err := s.executor.SubmitAgain(ctx, p)
	if err != nil {
		return nil, err
	}
	return schema.RetryResult{Tasks: tasks}, nil
}

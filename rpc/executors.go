package rpc

import (
	"context"

	"github.com/jobline/jobline/schema"
)

func (s *session) executors(ctx context.Context, _ *schema.Empty) (any, error) {
	all, err := s.executor.Executors(ctx)
	return schema.ExecutorsResult{Executors: all}, err
}

func (s *session) drain(ctx context.Context, p *schema.DrainParams) (any, error) {
	drained, err := s.executor.Drain(ctx, p)
	return schema.DrainResult{Executor: drained}, err
}

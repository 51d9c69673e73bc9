package rpc

import (
	"cmp"
	"context"

	"github.com/jobline/jobline/schema"
)

// This file has the methods that decide when tasks begin, and that say why one has not.

func (s *session) explain(ctx context.Context, p *schema.ExplainParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	result, err := s.executor.Explain(ctx, p.ID)
	return result, taskError(err, p.ID)
}

func (s *session) groups(ctx context.Context, p *schema.GroupsParams) (any, error) {
	return s.executor.Groups(ctx, p.Cursor, cmp.Or(p.Limit, defaultPage))
}

func (s *session) setGroup(ctx context.Context, p *schema.SetGroupParams) (any, error) {
	return s.executor.SetGroup(ctx, p)
}

func (s *session) pause(ctx context.Context, p *schema.PauseParams) (any, error) {
	return schema.Empty{}, s.executor.Pause(ctx, p.Group, true)
}

func (s *session) resume(ctx context.Context, p *schema.PauseParams) (any, error) {
	return schema.Empty{}, s.executor.Pause(ctx, p.Group, false)
}

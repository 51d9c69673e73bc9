package rpc

import (
	"cmp"
	"context"

	"github.com/jobline/jobline/schema"
)

// This file has the methods of schedules.

func (s *session) schedule(ctx context.Context, p *schema.ScheduleParams) (any, error) {
	return s.executor.Schedule(ctx, p)
}

func (s *session) unschedule(ctx context.Context, p *schema.UnscheduleParams) (any, error) {
	existed, err := s.executor.Unschedule(ctx, p.Name)
	return schema.UnscheduleResult{Existed: existed}, err
}

func (s *session) schedules(ctx context.Context, p *schema.SchedulesParams) (any, error) {
	return s.executor.Schedules(ctx, p.Cursor, cmp.Or(p.Limit, defaultPage))
}

package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Schedule makes a schedule, or changes the one with the name, and answers it.
func (c *Client) Schedule(ctx context.Context, p schema.ScheduleParams) (schema.Schedule, error) {
	return call[schema.Schedule](ctx, c, schema.MethodSchedule, p)
}

// Unschedule removes a schedule, and reports whether there was one. Its tasks stay.
func (c *Client) Unschedule(ctx context.Context, p schema.UnscheduleParams) (existed bool, err error) {
	result, err := call[schema.UnscheduleResult](ctx, c, schema.MethodUnschedule, p)
	return result.Existed, err
}

// Schedules answers a page of the schedules.
func (c *Client) Schedules(ctx context.Context, p schema.SchedulesParams) (schema.SchedulesResult, error) {
	return call[schema.SchedulesResult](ctx, c, schema.MethodSchedules, p)
}

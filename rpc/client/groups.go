package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Explain answers why a task waits: what it waits for, what that waits for, and so on.
func (c *Client) Explain(ctx context.Context, p schema.ExplainParams) (schema.ExplainResult, error) {
	return call[schema.ExplainResult](ctx, c, schema.MethodExplain, p)
}

// Groups answers a page of the groups, the resources, and whether everything is paused.
func (c *Client) Groups(ctx context.Context, p schema.GroupsParams) (schema.GroupsResult, error) {
	return call[schema.GroupsResult](ctx, c, schema.MethodGroups, p)
}

// SetGroup changes settings of a group, and answers the group.
func (c *Client) SetGroup(ctx context.Context, p schema.SetGroupParams) (schema.Group, error) {
	return call[schema.Group](ctx, c, schema.MethodSetGroup, p)
}

// Pause lets no task begin, or none of a group, until Resume. Tasks that run go on.
func (c *Client) Pause(ctx context.Context, p schema.PauseParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodPause, p)
	return err
}

// Resume undoes Pause.
func (c *Client) Resume(ctx context.Context, p schema.PauseParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodResume, p)
	return err
}

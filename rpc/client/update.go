package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Update changes a queued task, and answers it as it is then.
func (c *Client) Update(ctx context.Context, p schema.UpdateParams) (schema.Task, error) {
	return call[schema.Task](ctx, c, schema.MethodUpdate, p)
}

package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Executors answers the processes that run tasks of the store.
func (c *Client) Executors(ctx context.Context) (schema.ExecutorsResult, error) {
	return call[schema.ExecutorsResult](ctx, c, schema.MethodExecutors, schema.Empty{})
}

// Drain lets an executor begin no task any more, or begin tasks again.
func (c *Client) Drain(ctx context.Context, p schema.DrainParams) (schema.DrainResult, error) {
	return call[schema.DrainResult](ctx, c, schema.MethodDrain, p)
}

package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Executors answers the processes that run tasks of the store.
func (c *Client) Executors(ctx context.Context) (schema.ExecutorsResult, error) {
	return call[schema.ExecutorsResult](ctx, c, schema.MethodExecutors, schema.Empty{})
}

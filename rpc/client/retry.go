package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Retry submits tasks again that have ended, and answers the new tasks.
func (c *Client) Retry(ctx context.Context, p schema.RetryParams) (schema.RetryResult, error) {
	return call[schema.RetryResult](ctx, c, schema.MethodRetry, p)
}

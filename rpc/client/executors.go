package client

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// Executors answers the processes that run tasks of the store.
func (c *Client) Executors(ctx context.Context) (schema.ExecutorsResult, error) {
	return call[schema.ExecutorsResult](ctx, c, schema.MethodExecutors, schema.Empty{})
}

// Outbox answers a page of the submits that wait on this machine, or were refused.
func (c *Client) Outbox(ctx context.Context, p schema.OutboxParams) (schema.OutboxResult, error) {
	return call[schema.OutboxResult](ctx, c, schema.MethodOutbox, p)
}

// Resend lets submits of the outbox be sent again that were refused.
func (c *Client) Resend(ctx context.Context, p schema.ResendParams) (schema.ResendResult, error) {
	return call[schema.ResendResult](ctx, c, schema.MethodResend, p)
}

// Drain lets an executor begin no task any more, or begin tasks again.
func (c *Client) Drain(ctx context.Context, p schema.DrainParams) (schema.DrainResult, error) {
	return call[schema.DrainResult](ctx, c, schema.MethodDrain, p)
}

package rpc

import (
	"cmp"
	"context"

	"github.com/jobline/jobline/schema"
)

func (s *session) outboxMethod(_ context.Context, p *schema.OutboxParams) (any, error) {
	return s.executor.Outbox(p.Cursor, cmp.Or(p.Limit, defaultPage))
}

func (s *session) resend(_ context.Context, p *schema.ResendParams) (any, error) {
	n, err := s.executor.Resend(p.IDs)
	return schema.ResendResult{Resent: n}, err
}

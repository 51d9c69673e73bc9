package rpc

import (
	"bytes"
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// quickRetry is for how many tasks, at most, a retry is answered by the reader. A larger one runs beside
	// the reader.
	quickRetry = 100
	// maxRetries bounds the retries of a connection that run beside the reader.
	maxRetries = 16
)

// retry submits tasks that have ended again. If many tasks have to be read for that, it runs beside the reader.
func (s *session) retry(ctx context.Context, p *schema.RetryParams, to responder) {
	if s.leaving {
		to.fail(errLeaving)
		return
	}
	if quick := !p.Dependents && len(p.IDs) <= quickRetry; quick || to.batch != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		found, err := s.executor.FindResubmission(ctx, p, to.batch != nil)
		if !executor.NeedsSearch(err) {
			s.resubmit(ctx, found, err, to)
			return
		}
		s.retryBeside(ctx, p, to)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryBeside(ctx, p, to)
}

// retryBeside runs a retry on a goroutine of its own. The caller holds mu.
func (s *session) retryBeside(ctx context.Context, p *schema.RetryParams, to responder) {
	if s.retrying == maxRetries {
		e := wire.NewError(schema.CodeQueueFull, "%d retry requests are under way on this connection, the limit; wait for the answer of one", maxRetries)
		e.Data.Limit = maxRetries
		to.fail(e)
		return
	}
	cost, e := s.admit(to)
	if e != nil {
		to.fail(e)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	s.retrying++
	s.retries.Add(1)
	s.tasks.Go(func() {
		defer s.retries.Done()
		found, err := s.executor.FindResubmission(ctx, p, true)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.resubmit(ctx, found, err, to)
		s.budget.release(cost)
		s.retrying--
		s.afterEvents(ctx, func() {}) // so that the pump writes the answer
	})
}

// resubmit submits the tasks of a retry, and answers it. The caller holds mu, so that the answer comes
// before the events of the new tasks.
func (s *session) resubmit(ctx context.Context, found *executor.Resubmission, err error, to responder) {
	var result schema.RetryResult
	if err == nil {
		result, err = found.Submit(ctx)
	}
	if err != nil {
		to.fail(err)
		return
	}
	to.value(result)
}

package rpc

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// dryRun answers what a submit would answer. It looks behind the submits that were read before. The id
// of a task that was not given one is nil, because none is kept for it.
func (s *session) dryRun(ctx context.Context, record *executor.Submission, id uuid.UUID, to responder) {
	s.flushSubmits(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	record.Labels = s.labelled(record.Labels)
	answer, err := s.executor.DryRun(ctx, *record)
	if err == nil {
		err = answer.Err
	}
	if err != nil {
		to.fail(s.refusal(err, record))
		return
	}
	task := *answer.Task
	task.Input = nil
	if !answer.Existing {
		task.ID = id
	}
	to.result(func(b []byte) []byte { return appendSubmitted(b, &task, answer.Existing) })
}

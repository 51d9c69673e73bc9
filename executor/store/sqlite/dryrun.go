package sqlite

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// DryRun implements executor.Store. It goes through the log, so that it knows of all submits before
// it; but it writes nothing.
func (s *Store) DryRun(ctx context.Context, asked executor.Submission) (executor.Submitted, error) {
	e := s.submissionOf([]executor.Submission{asked})
	e.dry = true
	answers, err := s.submit(ctx, e)
	if err != nil {
		return executor.Submitted{}, err
	}
	return answers[0], nil
}

// would is a task as it would be if it were recorded. It needs the lock.
func (s *Store) would(r *executor.Record, after []awaited) *schema.Task {
	return s.planned.Would(r, schema.Now(), s.beforeAll(r.Conditions, after))
}

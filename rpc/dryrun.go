package rpc

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// dryRun is a submit with dryRun: it is answered and not recorded.
type dryRun struct {
	submission executor.Submission
	id         uuid.UUID // nil where none was given, because none is kept for it
	to         responder
}

// addDryRun answers a dry run. Those of a batch are gathered, and answered at its end, so that later ones see
// the tasks of earlier ones.
func (s *session) addDryRun(ctx context.Context, record *executor.Submission, id uuid.UUID, to responder) {
	record.Labels = s.labelled(record.Labels)
	s.dryRuns = append(s.dryRuns, dryRun{*record, id, to})
	if to.batch == nil {
		s.flushDryRuns(ctx)
	}
}

// flushDryRuns answers the gathered dry runs. Requests that were read before are recorded first.
func (s *session) flushDryRuns(ctx context.Context) {
	if len(s.dryRuns) == 0 {
		return
	}
	s.flushSubmits(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	submissions := make([]executor.Submission, len(s.dryRuns))
	for i := range s.dryRuns {
		submissions[i] = s.dryRuns[i].submission
	}
	answers, err := s.executor.DryRun(ctx, submissions)
	for i := range s.dryRuns {
		d := &s.dryRuns[i]
		switch {
		case err != nil:
			d.to.fail(s.refusal(err, &d.submission))
		case answers[i].Err != nil:
			d.to.fail(s.refusal(answers[i].Err, &d.submission))
		default:
			d.answer(answers[i].Task, answers[i].Existing)
		}
	}
	s.dryRuns = nil
}

func (d *dryRun) answer(t *schema.Task, existing bool) {
	task := *t
	task.Input = nil
	if !existing {
		task.ID = d.id
	}
	d.to.result(func(b []byte) []byte { return appendSubmitted(b, &task, existing) })
}

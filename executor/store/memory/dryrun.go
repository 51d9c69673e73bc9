package memory

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// DryRun implements executor.Store.
func (s *Store) DryRun(_ context.Context, asked executor.Submission) (answer executor.Submitted, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return answer, executor.ErrClosed
	}
	now := schema.Now()
	s.sweep(now)
	switch p, err := s.find(asked.ID); err {
	case nil:
		return s.answerKnown(p, &asked), nil
	case executor.ErrNotFound:
		s.wouldAdd(&asked.Record, &answer, now)
	default:
		answer.Err = err
	}
	return answer, nil
}

// wouldAdd answers what becomes of the submit of a new task. It needs the lock.
func (s *Store) wouldAdd(r *executor.Record, answer *executor.Submitted, now schema.Time) {
	frees := 0
	if by := kit.DedupeOf(r.Conditions); by != nil {
		if by.On != schema.DedupeReplace && s.answerDuplicate(by, answer, now) {
			return
		}
		if old := s.dedupes.Open(by.Key); by.On == schema.DedupeReplace && len(old) > 0 {
			r.Conditions, frees = kit.Succeeding(r.Conditions, old), s.waitingOf(old)
		}
	}
	if answer.Err = s.fullQueue(frees); answer.Err != nil {
		return
	}
	if r.Conditions != nil {
		if answer.Err = s.admitChild(r.Conditions); answer.Err == nil {
			answer.Err = s.findBefore(r.Conditions.After)
		}
		if answer.Err != nil {
			return
		}
	}
	answer.Task = s.planned.Would(r, now, s.before)
	clear(s.before)
}

package memory

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// DryRun implements executor.Store.
func (s *Store) DryRun(_ context.Context, asked []executor.Submission) ([]executor.Submitted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	now := s.now()
	s.sweep(now)
	return s.tried(asked, now), nil
}

// tried answers what becomes of submits. It needs the lock.
func (s *Store) tried(asked []executor.Submission, now schema.Time) []executor.Submitted {
	var trial kit.Trial
	answers := make([]executor.Submitted, len(asked))
	for i := range asked {
		r := asked[i].Record
		switch p, err := s.find(r.ID); {
		case trial.Has(r.ID) && trial.Same(&r):
			answers[i] = executor.Submitted{Existing: true, Task: trial.Task(r.ID)}
		case trial.Has(r.ID):
			answers[i].Err = executor.ErrIDConflict
		case err == nil:
			answers[i] = s.answerKnown(p, &asked[i])
		case err == executor.ErrNotFound:
			s.wouldAdd(&trial, &r, &answers[i], now)
		default:
			answers[i].Err = err
		}
	}
	return answers
}

// wouldAdd answers what becomes of the submit of a new task. It needs the lock.
func (s *Store) wouldAdd(trial *kit.Trial, r *executor.Record, answer *executor.Submitted, now schema.Time) {
	frees := 0
	if by := kit.DedupeOf(r.Conditions); by != nil {
		if by.On != schema.DedupeReplace && (answerTwin(trial, by, answer) || s.answerDuplicate(by, answer, now)) {
			return
		}
		if old := s.dedupes.Open(by.Key); by.On == schema.DedupeReplace {
			frees = s.waitingOf(old) + trial.Replaced(by.Key)
			if twin := trial.Newest(by.Key); twin != uuid.Nil {
				old = append(old[:len(old):len(old)], twin)
			}
			if len(old) > 0 {
				r.Conditions = kit.Succeeding(r.Conditions, old)
			}
		}
	}
	if answer.Err = s.fullQueue(frees - trial.Len()); answer.Err != nil {
		return
	}
	depth := 0
	if r.Conditions != nil {
		if depth, answer.Err = s.admitChild(r.Conditions, trial); answer.Err == nil {
			answer.Err = s.findBefore(r.Conditions.After, trial)
		}
		if answer.Err != nil {
			return
		}
	}
	trial.Add(r, depth)
	answer.Task = s.planned.Would(r, now, s.before)
	trial.Becomes(answer.Task)
	clear(s.before)
}

// answerTwin answers a submit with the task of a trial of which it would be a duplicate, or answers
// false.
func answerTwin(trial *kit.Trial, by *schema.Dedupe, answer *executor.Submitted) bool {
	switch id := trial.Newest(by.Key); {
	case id == uuid.Nil:
		return false
	case by.On == schema.DedupeReject:
		answer.Err = &executor.DuplicateError{Key: by.Key, ID: id}
	default:
		answer.Existing, answer.Task = true, trial.Task(id)
	}
	return true
}

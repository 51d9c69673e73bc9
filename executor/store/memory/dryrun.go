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
	return s.dryRun(asked, now), nil
}

// dryRun answers what submits would do, one after another, without doing it. The caller holds mu.
func (s *Store) dryRun(asked []executor.Submission, now schema.Time) []executor.Submitted {
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
			s.dryRunAdd(&trial, &r, &answers[i], now)
		default:
			answers[i].Err = err
		}
	}
	return answers
}

// dryRunAdd answers what the submit of a new task would do. The caller holds mu.
func (s *Store) dryRunAdd(trial *kit.Trial, r *executor.Record, answer *executor.Submitted, now schema.Time) {
	frees := 0
	if by := kit.DedupeOf(r.Conditions); by != nil {
		if by.On != schema.DedupeReplace && (answerTrialDuplicate(trial, by, answer) || s.answerDuplicate(by, answer, now)) {
			return
		}
		if old := s.dedupes.Open(by.Key); by.On == schema.DedupeReplace {
			frees = s.countQueued(old) + trial.Replaced(by.Key)
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
			answer.Err = s.findDependencies(r.Conditions.After, trial)
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

// answerTrialDuplicate answers a submit with an earlier task of the trial of which it would be a duplicate. It
// reports false if there is none.
func answerTrialDuplicate(trial *kit.Trial, by *schema.Dedupe, answer *executor.Submitted) bool {
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

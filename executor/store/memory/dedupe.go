package memory

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file handles a submit while there is a task with the same dedupe key.

// replacement is a running task that is to be cancelled because another task replaces it.
type replacement struct {
	lease  *lease
	cancel executor.Cancellation
}

// addUnlessDuplicate puts a new task into the queue, unless it is a duplicate of another task. The caller holds
// mu.
func (s *Store) addUnlessDuplicate(e *entry, asked *executor.Submission, answer *executor.Submitted, now schema.Time) {
	by := kit.DedupeOf(asked.Conditions)
	if by == nil {
		answer.Err = s.add(e, now)
		return
	}
	if by.On == schema.DedupeReplace {
		*answer = s.replace(e, asked, now)
		return
	}
	if !s.answerDuplicate(by, answer, now) {
		answer.Err = s.add(e, now)
	}
}

// answerDuplicate answers a submit with the task of which it is a duplicate. It reports false if there is none.
// The caller holds mu.
func (s *Store) answerDuplicate(by *schema.Dedupe, answer *executor.Submitted, now schema.Time) bool {
	p, id, found := s.duplicateOf(by, now)
	switch {
	case !found:
		return false
	case by.On == schema.DedupeReject:
		answer.Err = &executor.DuplicateError{Key: by.Key, ID: id}
	default:
		t := s.task(p)
		s.showWaiting(p, &t)
		answer.Existing, answer.Task = true, &t
	}
	return true
}

// duplicateOf finds the task of which a submit is a duplicate. The caller holds mu.
func (s *Store) duplicateOf(by *schema.Dedupe, now schema.Time) (p place, id uuid.UUID, found bool) {
	if open := s.dedupes.Open(by.Key); len(open) > 0 {
		id, found = open[len(open)-1], true
	} else {
		id, found = s.dedupes.Completed(by, now)
	}
	if found {
		var err error
		p, err = s.findKept(id)
		found = err == nil
	}
	return p, id, found
}

// replace puts a new task into the queue, to run after the end of the tasks with its dedupe key, and cancels
// those. The caller holds mu.
func (s *Store) replace(e *entry, asked *executor.Submission, now schema.Time) (answer executor.Submitted) {
	old := slices.Clone(s.dedupes.Open(asked.Conditions.Dedupe.Key))
	if len(old) > 0 {
		with := asked.Record
		with.Conditions = kit.Succeeding(asked.Conditions, old)
		setConditions(e, &with)
		answer.Conditions = with.Conditions
	}
	if answer.Err = s.addReplacing(e, s.countQueued(old), now); answer.Err != nil {
		return answer
	}
	c := kit.ReplacedBy(asked.ID)
	for _, id := range old {
		p, err := s.findKept(id)
		if err != nil {
			continue
		}
		x := s.extra(p)
		again := x != nil && !x.cancelled.IsZero()
		switch outcome, p := s.cancel(p, c, now); {
		case outcome == schema.OutcomeCancelled:
			s.counts.Replaced++
		case outcome == schema.OutcomeCancelling && !again:
			s.replaced = append(s.replaced, replacement{p.entry.Value.lease(), c})
		}
		if d := s.trees.Descend(id, c); d != nil {
			s.descents = append(s.descents, d)
		}
	}
	return answer
}

// countQueued is how many of the tasks with these ids are queued. The caller holds mu.
func (s *Store) countQueued(ids []uuid.UUID) (n int) {
	for _, id := range ids {
		if e := s.records.get(id); e != nil && e.Value.state == schema.Queued {
			n++
		}
	}
	return n
}

// unlockAndRevoke gives up mu. Then it cancels the running tasks that were replaced, and the tasks below them.
func (s *Store) unlockAndRevoke() {
	replaced, descents := s.replaced, s.descents
	s.replaced, s.descents = nil, nil
	s.mu.Unlock()
	for i := range replaced { // without the lock, because Revoke may call back
		replaced[i].lease.Revoke(&replaced[i].cancel)
	}
	s.cancelBelow(descents)
}

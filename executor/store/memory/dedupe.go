package memory

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file has what becomes of a submit while there is a task of the same dedupe key.

// replacement is a running task that is to be told that another one replaces it.
type replacement struct {
	lease  *lease
	cancel executor.Cancellation
}

// addOnce puts a new task into the queue, unless there is one of its dedupe key. It needs the
// lock.
func (s *Store) addOnce(e *entry, asked *executor.Submission, answer *executor.Submitted, now schema.Time) {
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

// answerDuplicate answers a submit with the task of which it is a duplicate, or answers false. It
// needs the lock.
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

// duplicateOf finds the task of which a submit is a duplicate. It needs the lock.
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

// replace puts a new task into the queue, and cancels those of its dedupe key. It runs after
// their end. It needs the lock.
func (s *Store) replace(e *entry, asked *executor.Submission, now schema.Time) (answer executor.Submitted) {
	old := slices.Clone(s.dedupes.Open(asked.Conditions.Dedupe.Key))
	if len(old) > 0 {
		with := asked.Record
		with.Conditions = kit.Succeeding(asked.Conditions, old)
		setConditions(e, &with)
		answer.Conditions = with.Conditions
	}
	if answer.Err = s.addReplacing(e, s.waitingOf(old), now); answer.Err != nil {
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

// waitingOf is how many of some tasks are queued. It needs the lock.
func (s *Store) waitingOf(ids []uuid.UUID) (n int) {
	for _, id := range ids {
		if e := s.records.get(id); e != nil && e.Value.state == schema.Queued {
			n++
		}
	}
	return n
}

// unlockAndTell gives the lock back, and then tells the running tasks that were replaced to
// stop, and cancels those below them.
func (s *Store) unlockAndTell() {
	replaced, descents := s.replaced, s.descents
	s.replaced, s.descents = nil, nil
	s.mu.Unlock()
	for i := range replaced { // without the lock, because Revoke may call back
		replaced[i].lease.Revoke(&replaced[i].cancel)
	}
	s.cancelBelow(descents)
}

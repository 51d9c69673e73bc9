package outbox

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file takes over what has become of submits that were sent, and sends again those that were refused.

// settle takes over what has become of a batch.
func (s *Store) settle(batch []*kept, answers []executor.Submitted) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var c Change
	gone, now := map[int64]bool{}, schema.Now()
	var refused []*kept
	s.mu.Lock()
	for i, k := range batch {
		why := refusal(k, &answers[i])
		if why == nil {
			gone[k.Number] = true
			c.Remove = append(c.Remove, k.Number)
			continue
		}
		k.Refused, k.RefusedAt = why.Error(), now
		s.refused++
		refused, c.Set = append(refused, k), append(c.Set, k.Entry)
	}
	s.remove(gone)
	close(s.settled)
	s.settled = make(chan struct{})
	s.mu.Unlock()
	if len(gone) > 0 {
		s.log.Info("submits of the outbox were sent", "tasks", len(gone))
	}
	s.untold = append(s.untold, refused...)
	s.writeLater(c) // or the next process would send what was refused, and what the namespace may have forgotten
}

// tellRefused tells the ends of tasks that the namespace has refused, now that the file has them. Their owners are told
// nothing more of them. It needs writing.
func (s *Store) tellRefused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.untold
	s.untold = nil
	for _, k := range all {
		s.log.Warn("the namespace has refused a submit of the outbox, which stays there", "task", k.Record.ID, "type", k.Record.Type, "error", k.Refused)
		s.tellEnd(k, k.record(s.file.Path()).Task)
		k.owner, k.events = 0, 0
	}
}

// refusal is why the namespace has not recorded a task, or nil. A task that has been sent before may have ended,
// and be known no longer.
func refusal(k *kept, answer *executor.Submitted) error {
	switch {
	case errors.Is(answer.Err, executor.ErrTaskGone):
		return nil
	case answer.Err != nil:
		return answer.Err
	case answer.Existing && answer.Task.ID != k.Record.ID:
		return &executor.DuplicateError{Key: k.Record.Conditions.Dedupe.Key, ID: answer.Task.ID}
	}
	return nil
}

// Resend implements executor.Outbox.
func (s *Store) Resend(ids []uuid.UUID) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var again []*kept
	s.mu.Lock()
	for _, id := range ids {
		if s.byID[id] == nil {
			s.mu.Unlock()
			return 0, &executor.InputError{Violations: []schema.Violation{{Pointer: "/ids", Message: id.String() + " is not in the outbox"}}}
		}
	}
	for _, k := range s.entries {
		if k.Refused != "" && (len(ids) == 0 || slices.Contains(ids, k.Record.ID)) {
			again = append(again, k)
		}
	}
	s.mu.Unlock()
	if len(again) == 0 {
		return 0, nil
	}
	var c Change
	for _, k := range again {
		e := k.Entry
		e.Refused, e.RefusedAt, e.Tried = "", 0, false
		c.Set = append(c.Set, e)
	}
	if err := s.write(c); err != nil {
		return 0, err
	}
	s.mu.Lock()
	for _, k := range again {
		k.Refused, k.RefusedAt, k.Tried = "", 0, false
		s.refused--
	}
	s.mu.Unlock()
	notify(s.dated)
	notify(s.wake)
	return len(again), nil
}

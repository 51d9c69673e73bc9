package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file keeps what can be read of entries that are damaged. They are listed, and never sent.

// mostNumber is up to which the number of a damaged entry is taken for one that was given.
const mostNumber = 1 << 62

// takeDamaged keeps an entry that is damaged. It is for New.
func (s *Store) takeDamaged(e Entry) {
	s.damaged = append(s.damaged, e)
	if e.Number < mostNumber {
		s.last = max(s.last, e.Number)
	}
	s.log.Error("a submit in the outbox is damaged, and is not sent; submit it again, or cancel it there", "task", e.Record.ID, "outbox", s.file.Path())
}

// damagedAt is where the damaged entry of a task is, or -1. It needs mu.
func (s *Store) damagedAt(id uuid.UUID) int {
	return slices.IndexFunc(s.damaged, func(e Entry) bool { return e.Record.ID == id })
}

// isDamaged reports whether the entry of a task is damaged.
func (s *Store) isDamaged(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damagedAt(id) >= 0
}

// forgetDamaged forgets the damaged entry of a task that is not in the file any more. It needs mu.
func (s *Store) forgetDamaged(id uuid.UUID) {
	if i := s.damagedAt(id); i >= 0 {
		s.damaged = slices.Delete(s.damaged, i, i+1)
	}
}

// cancelDamaged drops the damaged entry of a task, and cancels the task where the namespace has it.
func (s *Store) cancelDamaged(ctx context.Context, id uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	in, err := s.behind()
	if err != nil { // it may have the task
		return nil, err
	}
	r, damaged := s.damagedRecord(id)
	_, err = in.Get(ctx, id)
	missing := errors.Is(err, executor.ErrNotFound) || errors.Is(err, executor.ErrTaskGone)
	if err != nil && !missing {
		return nil, err
	}
	answers := []executor.CancelAnswer{{Outcome: schema.OutcomeCancelled, Task: r.Task}}
	if !missing || !damaged {
		if answers, err = in.Cancel(ctx, []uuid.UUID{id}, c); err != nil {
			return nil, err
		}
	}
	return answers, s.dropDamaged(id)
}

// dropDamaged drops the damaged entry of a task.
func (s *Store) dropDamaged(id uuid.UUID) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	i, c := s.damagedAt(id), Change{}
	if i >= 0 {
		c.Remove = []int64{s.damaged[i].Number}
	}
	s.mu.Unlock()
	if i < 0 {
		return nil
	}
	if err := s.write(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetDamaged(id)
	return nil
}

// damagedRecord is a task whose entry is damaged, where the namespace does not have it: it has ended here, because it is
// not sent.
func (s *Store) damagedRecord(id uuid.UUID) (r executor.Record, damaged bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.damagedAt(id)
	if i < 0 {
		return r, false
	}
	r = s.damaged[i].Record
	cancelled(&r, executor.Cancellation{Reason: fmt.Sprintf("the outbox %s no longer has what was written of it, so it is not sent", s.file.Path())}, r.CreatedAt)
	return r, true
}

package outbox

import (
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

// dropDamaged drops the damaged entry of a task. Whether the namespace has the task is not known. It needs writing.
func (s *Store) dropDamaged(id uuid.UUID, c executor.Cancellation) executor.CancelAnswer {
	s.mu.Lock()
	i := s.damagedAt(id)
	if i < 0 {
		s.mu.Unlock()
		return executor.CancelAnswer{Err: fmt.Errorf("%w: the task is no longer in the outbox", executor.ErrStoreUnavailable)}
	}
	e := s.damaged[i]
	s.mu.Unlock()
	if err := s.write(Change{Remove: []int64{e.Number}}); err != nil {
		return executor.CancelAnswer{Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetDamaged(id)
	r := e.Record
	cancelled(&r, c, schema.Now())
	return executor.CancelAnswer{Outcome: schema.OutcomeCancelled, Task: r.Task}
}

// damagedError says of a task that its entry is damaged.
func (s *Store) damagedError() error {
	return fmt.Errorf("%w: the outbox %s no longer has what was written of this task; submit it again, or cancel it", executor.ErrDamaged, s.file.Path())
}

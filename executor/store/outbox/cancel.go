package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// errOnItsWay is why a task in the outbox cannot be cancelled.
var errOnItsWay = errors.New("the task was on its way to the namespace when the connection was lost, so the namespace may have it; cancel it when the namespace can be reached")

// Cancel implements executor.Store. Of tasks in the outbox it answers those in front, and of others, too.
func (s *Store) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s.awaitSettled(ctx, ids[0])
	if s.isDamaged(ids[0]) {
		return s.cancelDamaged(ctx, ids[0], c)
	}
	if n := s.leading(ids, true); n > 0 {
		return s.drop(ids[:n], c), nil
	}
	in, err := s.behind()
	if err != nil {
		return nil, err
	}
	return in.Cancel(ctx, ids[:s.leading(ids, false)], c)
}

// leading is how many of the first ids the outbox knows, or does not know. It ends before one whose entry is damaged.
func (s *Store) leading(ids []uuid.UUID, wanted bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(ids) {
		if _, known := s.known(ids[n]); known != wanted || s.damagedAt(ids[n]) >= 0 {
			break
		}
		n++
	}
	return n
}

// awaitSettled waits, while the namespace can be reached, until it is known whether that has a task.
func (s *Store) awaitSettled(ctx context.Context, id uuid.UUID) {
	late := time.NewTimer(cancelPatience)
	defer late.Stop()
	for s.canReach() != nil {
		s.mu.Lock()
		k, settled := s.byID[id], s.settled
		waits := k != nil && k.uncertain()
		s.mu.Unlock()
		if !waits {
			return
		}
		select {
		case <-settled:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// drop ends tasks that are in the outbox, and those there that are parts of them.
func (s *Store) drop(ids []uuid.UUID, c executor.Cancellation) []executor.CancelAnswer {
	s.writing.Lock()
	defer s.writing.Unlock()
	answers := make([]executor.CancelAnswer, len(ids))
	dropped := s.below(ids)
	numbers := make([]int64, len(dropped))
	for i, k := range dropped {
		numbers[i] = k.Number
	}
	var err error
	if len(dropped) > 0 {
		err = s.write(Change{Remove: numbers})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := schema.Now(); err == nil {
		s.end(dropped, func(k *kept) executor.Record {
			r := k.Record
			cancelled(&r, c, now)
			return r
		})
	}
	for i, id := range ids {
		switch r, over := s.ended.get(id); {
		case over && slices.ContainsFunc(dropped, func(k *kept) bool { return k.Record.ID == id }):
			answers[i] = executor.CancelAnswer{Outcome: schema.OutcomeCancelled, Task: r.Task}
		case over:
			answers[i] = executor.CancelAnswer{Outcome: schema.OutcomeAlreadyFinished, Task: r.Task}
		case err != nil:
			answers[i].Err = err
		case s.byID[id] != nil:
			answers[i].Err = fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, errOnItsWay)
		default: // it was sent meanwhile
			answers[i].Err = fmt.Errorf("%w: the task has just been sent", executor.ErrStoreUnavailable)
		}
	}
	return answers
}

// below are the entries with the ids, and those that are parts of these, without those that the namespace may
// have. It needs writing.
func (s *Store) below(ids []uuid.UUID) (found []*kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[uuid.UUID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for _, k := range s.entries { // a part is behind that of which it is one
		if !k.uncertain() && (wanted[k.Record.ID] || wanted[executor.ParentOf(k.Record.Conditions)]) {
			wanted[k.Record.ID] = true
			found = append(found, k)
		}
	}
	return found
}

// end takes out entries whose tasks have ended as over says, and tells that. Those that were refused have ended before. It
// needs mu.
func (s *Store) end(dropped []*kept, over func(*kept) executor.Record) {
	gone := map[int64]bool{}
	for _, k := range dropped {
		gone[k.Number] = true
	}
	s.remove(gone)
	for _, k := range dropped {
		r := k.record(s.file.Path())
		if k.Refused == "" {
			r = over(k)
			s.tellEnd(k, r.Task)
		}
		s.ended.add(r)
	}
}

// tellEnd tells the end of a task in the outbox. It has no number of its own.
func (s *Store) tellEnd(k *kept, shown schema.Task) {
	shown.Input = nil
	s.feed.Tell(k.owner, k.events, executor.Event{ID: shown.ID, Kind: executor.EventFinished, Task: &shown})
}

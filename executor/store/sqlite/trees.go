package sqlite

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file has the tasks that are parts of others.

// births are the children that a transaction records. The zero value is none.
type births struct {
	children map[uuid.UUID]int // by their parents
	depths   map[uuid.UUID]int // of the children
}

// add adds a task that the transaction records, if it is a child.
func (b *births) add(s *Store, r *record) {
	parent := executor.ParentOf(r.Conditions)
	if parent == uuid.Nil {
		return
	}
	if b.children == nil {
		b.children, b.depths = map[uuid.UUID]int{}, map[uuid.UUID]int{}
	}
	b.children[parent]++
	b.depths[r.ID] = b.depth(s, parent) + 1
}

// depth is how many tasks are above one.
func (b *births) depth(s *Store, id uuid.UUID) int {
	if depth, found := b.depths[id]; found {
		return depth
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trees.Depth(id)
}

// admitChild looks for the parent of a task that is to be recorded. It answers false where the
// task cannot be its child.
func (e *submission) admitChild(t *transaction, i int) (ok bool, err error) {
	s, parent := e.store, executor.ParentOf(e.tasks[i].Conditions)
	if parent == uuid.Nil {
		return true, nil
	}
	p, err := s.known(t, parent)
	refused := error(nil)
	switch {
	case errors.Is(err, executor.ErrNotFound), errors.Is(err, executor.ErrTaskGone):
		refused = executor.UnknownParent(parent, err)
	case errors.Is(err, executor.ErrDamaged): // this concerns no other task of the submit
		refused = err
	case err != nil:
		return false, err
	case p.record == nil && p.state.Final():
		refused = executor.EndedParent(parent)
	default:
		depth := t.births.depth(s, parent)
		s.mu.Lock()
		defer s.mu.Unlock()
		if refused = s.trees.Admits(parent, depth, t.births.children[parent]); p.record != nil && !p.record.cancelRequest.at.IsZero() {
			refused = executor.CancelledParent(parent)
		}
	}
	e.answers[i].Err = refused
	return refused == nil, nil
}

// joinParent cancels a new task whose parent has been cancelled since the parent was looked for.
// It needs the lock.
func (s *Store) joinParent(r *record) {
	parent := s.live[executor.ParentOf(r.Conditions)]
	if parent == nil || parent.cancelRequest.at.IsZero() || r.cancelling {
		return
	}
	c := kit.CancelBelow(parent.ID, executor.Cancellation{Reason: parent.cancelRequest.reason})
	e := &replacing{cancellation: cancellation{cancel: c, below: true}, store: s}
	e.steps = append(e.steps, s.plan(r, new(executor.CancelAnswer), &c))
	s.append(e)
}

// cancelBelow goes on with a cancel of tasks, down their trees.
func (s *Store) cancelBelow(ctx context.Context, roots []uuid.UUID, c executor.Cancellation) error {
	for _, root := range roots {
		s.mu.Lock()
		d := s.trees.Descend(root, c)
		s.mu.Unlock()
		for more := d != nil; more; {
			var ids []uuid.UUID
			s.mu.Lock()
			ids, more = s.trees.Next(d)
			s.mu.Unlock()
			if _, err := s.cancelThese(ctx, ids, d.Cancel, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// goDown goes on with cancels of the store itself, down their trees: by one piece, which is
// followed by the next.
func (s *Store) goDown(below []*kit.Descent) {
	if len(below) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := below[0]
	ids, more := s.trees.Next(d)
	if !more {
		below = below[1:]
	}
	e := &replacing{cancellation: cancellation{cancel: d.Cancel, below: true}, store: s, follows: below}
	for _, id := range ids {
		r := s.live[id]
		if r == nil || r.cancelling {
			continue
		}
		if st := s.plan(r, new(executor.CancelAnswer), &d.Cancel); !st.again {
			e.steps = append(e.steps, st)
		}
	}
	if !s.closed {
		s.append(e)
	}
}

// treesFound finds again which tasks are parts of others, and cancels those that the last process
// had left to cancel: those whose parent was cancelled. conditioned are the tasks with conditions
// that have not ended.
func (s *Store) treesFound(c *file.Conn, conditioned []*record) error {
	err := file.EachChild(c, func(r file.ChildRow) {
		s.trees.Add(r.Conditions, r.ID, uint64(r.Ord))
		if r.State.Final() {
			s.trees.End(r.ID, r.State)
		}
	})
	if err != nil {
		return err
	}
	for _, id := range s.trees.Parents() {
		state, err := s.foundState(c, schema.Dependency{ID: id})
		if err != nil {
			return err
		}
		if state.Final() {
			s.trees.End(id, state)
		}
	}
	return s.cancelFound(c, conditioned)
}

// cancelFound cancels tasks whose parent was cancelled.
func (s *Store) cancelFound(c *file.Conn, conditioned []*record) error {
	looked := map[uuid.UUID]bool{}
	var below []*kit.Descent
	for _, r := range conditioned {
		parent := executor.ParentOf(r.Conditions)
		if parent == uuid.Nil || looked[parent] {
			continue
		}
		looked[parent] = true
		p, _, _, err := s.rowOf(c, parent)
		switch {
		case errors.Is(err, executor.ErrNotFound), errors.Is(err, executor.ErrDamaged):
		case err != nil:
			return err
		case !p.CancelRequestedAt.IsZero():
			if d := s.trees.Descend(parent, executor.Cancellation{Reason: p.CancelReason}); d != nil {
				below = append(below, d)
			}
		}
	}
	s.goDown(below)
	return nil
}

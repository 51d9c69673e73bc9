package sqlite

import (
	"context"
	"errors"
	"slices"

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
	var p awaited
	if !e.members.Has(parent) {
		p, err = s.known(t, parent)
	}
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
		depth := e.depth(t, parent)
		s.mu.Lock()
		defer s.mu.Unlock()
		if refused = s.trees.Admits(parent, depth, t.births.children[parent]+e.members.Children(parent)); p.record != nil && !p.record.cancelRequest.at.IsZero() {
			refused = executor.CancelledParent(parent)
		}
	}
	if e.answers[i].Err = refused; refused != nil {
		return false, nil
	}
	if e.parents == nil {
		e.parents = map[int]*record{}
	}
	e.parents[i] = p.record
	return true, nil
}

// joinParent cancels a new task whose parent has been cancelled since the parent was looked for.
// It needs the lock.
func (s *Store) joinParent(r *record) {
	parent := s.live[executor.ParentOf(r.Conditions)]
	if parent == nil || parent.cancelRequest.at.IsZero() || r.cancelling {
		return
	}
	c := kit.CancelBelow(parent.ID, executor.Cancellation{Reason: parent.cancelRequest.reason})
	e := &replacing{cancellation: cancellation{cancel: c, below: true, store: s}}
	e.steps = append(e.steps, s.plan(r, new(executor.CancelAnswer), &c))
	s.append(e)
}

// OpenBelow implements executor.Store.
func (s *Store) OpenBelow(ctx context.Context, w *executor.TreeWalk) (uuid.UUID, error) {
	return s.trees.Walk(ctx, w, &s.mu, &s.closed)
}

// descend begins a cancel of what is below a task, and answers nil where there is nothing. Until
// arrive is called, retention keeps what the next process needs to go on with it. It needs the
// lock.
func (s *Store) descend(from uuid.UUID, c executor.Cancellation) *kit.Descent {
	d := s.trees.Descend(from, c)
	if d != nil {
		s.descents[from]++
	}
	return d
}

// addLost adds the tasks below those of a cancel that the next process would not find, so that they are
// recorded together. It needs the lock.
func (e *cancellation) addLost(s *Store) {
	for _, d := range e.descents {
		for _, id := range s.trees.LostBelow(d.From) {
			r := s.live[id]
			if r == nil || r.cancelling {
				continue
			}
			st := s.plan(r, new(executor.CancelAnswer), &d.Cancel)
			st.lost = &d.Cancel
			e.steps = append(e.steps, st)
		}
	}
}

// arrive is called when all that is below a task is cancelled, or not to be. It needs the lock.
func (s *Store) arrive(from uuid.UUID) {
	if s.descents[from]--; s.descents[from] == 0 {
		delete(s.descents, from)
		s.trees.Arrive(from)
	}
}

// descending reports whether a task is to be kept because a cancel goes down from it or through it.
// The next process needs it to go on: from a child it finds those above as long as they are there.
func (s *Store) descending(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trees.Under(id, s.descents)
}

// arrival is the entry behind the last cancel of a descent.
type arrival struct{ from uuid.UUID }

func (a arrival) weight() (int, int)       { return 0, 0 }
func (a arrival) write(*transaction) error { return nil }
func (a arrival) fail(*Store, error) entry { return a }
func (a arrival) done()                    {}

func (a arrival) apply(s *Store) {
	s.arrive(a.from)
	s.notify() // retention may go on
}

// descend begins to go down from a task whose answer has a place. It needs the lock.
func (e *cancellation) descend(i int, id uuid.UUID) {
	if e.below {
		return
	}
	if d := e.store.descend(id, e.cancel); d != nil {
		e.descents = append(e.descents, d)
		e.tops = append(e.tops, i)
	}
}

// takeDescents are the descents from the tasks that are cancelled by their answers.
func (e *cancellation) takeDescents(answers []executor.CancelAnswer) (below []*kit.Descent) {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	for n, d := range e.descents {
		if answers[e.tops[n]].Err == nil {
			below = append(below, d)
		} else {
			e.store.arrive(d.From)
		}
	}
	e.descents = nil
	return below
}

// drop ends the descents of a cancel before they have begun.
func (e *cancellation) drop() {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	for _, d := range e.descents {
		e.store.arrive(d.From)
	}
	e.descents = nil
}

// leave lets the store go down by itself when the cancel is recorded, because nobody waits for it.
func (e *cancellation) leave() {
	e.store.mu.Lock()
	e.left = true
	e.store.mu.Unlock()
	select {
	case <-e.ready:
		e.store.goDown(e.takeDescents(e.answers))
	default:
	}
}

// cancelBelow goes on with cancels, down their trees. Where it cannot, the store goes on later.
func (s *Store) cancelBelow(ctx context.Context, descents []*kit.Descent) error {
	for i, d := range descents {
		for more := true; more; {
			before := d.Clone()
			answers, left, err := s.cancelPiece(ctx, d)
			more = left
			undone := slices.ContainsFunc(answers, func(a executor.CancelAnswer) bool { return errors.Is(a.Err, executor.ErrStoreUnavailable) })
			if err != nil || undone {
				s.goDown(append([]*kit.Descent{before}, descents[i+1:]...))
				return err
			}
		}
		s.mu.Lock()
		s.appendArrival(d)
		s.mu.Unlock()
	}
	return nil
}

// cancelPiece cancels the next tasks of a descent, and answers whether there are more. It finds and
// marks them without giving the lock back: a child that comes to one of them later is refused, and one
// that came before is found by the next piece. All of them are in memory.
func (s *Store) cancelPiece(ctx context.Context, d *kit.Descent) (answers []executor.CancelAnswer, more bool, err error) {
	e := &cancellation{cancel: d.Cancel, store: s, below: true}
	s.mu.Lock()
	ids, more := s.trees.Next(d)
	err = e.begin(s, ids, nil, nil)
	s.mu.Unlock()
	if err == nil {
		answers, err = e.over(ctx, s)
	}
	return answers, more, err
}

// appendArrival ends a descent when all that it has done is recorded. It needs the lock.
func (s *Store) appendArrival(d *kit.Descent) {
	if !s.closed {
		s.append(arrival{d.From})
	}
}

// goDown goes on with cancels that nobody waits for, down their trees: by one piece, which is
// followed by the next when it is recorded.
func (s *Store) goDown(below []*kit.Descent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(below) > 0 && !s.closed {
		d := below[0]
		ids, more := s.trees.Next(d)
		e := &replacing{cancellation: cancellation{cancel: d.Cancel, below: true, store: s}, follows: below}
		for _, id := range ids {
			r := s.live[id]
			if r == nil || r.cancelling {
				continue
			}
			if st := s.plan(r, new(executor.CancelAnswer), &d.Cancel); !st.again {
				e.steps = append(e.steps, st)
			}
		}
		if len(e.steps) > 0 {
			s.append(e)
			return
		}
		if !more {
			s.appendArrival(d)
			below = below[1:]
		}
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

// cancelFound cancels tasks below a task that was cancelled.
func (s *Store) cancelFound(c *file.Conn, conditioned []*record) error {
	looked := map[uuid.UUID]bool{}
	var below []*kit.Descent
	for _, r := range conditioned {
		top, err := s.cancelledAbove(c, executor.ParentOf(r.Conditions), looked)
		if err != nil {
			return err
		}
		if top == nil {
			continue
		}
		if d := s.descend(top.ID, executor.Cancellation{Reason: top.CancelReason}); d != nil {
			below = append(below, d)
		}
	}
	s.goDown(below)
	return nil
}

// cancelledAbove is the topmost task that was cancelled, of a task and those above it, or nil. It
// ends at one that was looked at before.
func (s *Store) cancelledAbove(c *file.Conn, id uuid.UUID, looked map[uuid.UUID]bool) (top *executor.Record, err error) {
	for id != uuid.Nil && !looked[id] {
		looked[id] = true
		r, _, _, err := s.rowOf(c, id)
		switch {
		case errors.Is(err, executor.ErrNotFound), errors.Is(err, executor.ErrDamaged):
			return top, nil
		case err != nil:
			return nil, err
		case !r.CancelRequestedAt.IsZero():
			top = &r
		}
		id = executor.ParentOf(r.Conditions)
	}
	return top, nil
}

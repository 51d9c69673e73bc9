package memory

import (
	"context"
	"runtime"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file has the trees of tasks: tasks that are children of others.

// admitChild answers how many tasks are above a new task with these conditions, or why it cannot be a child of
// the parent that they name. The caller holds mu.
func (s *Store) admitChild(c *schema.Conditions, trial *kit.Trial) (depth int, err error) {
	parent := executor.ParentOf(c)
	if parent == uuid.Nil {
		return 0, nil
	}
	if trial.Has(parent) {
		depth = trial.Depth(parent)
	} else {
		p, err := s.find(parent)
		switch {
		case err != nil:
			return 0, executor.UnknownParent(parent, err)
		case p.entry == nil:
			return 0, executor.EndedParent(parent)
		}
		if x := p.entry.Value.extra(); x != nil && !x.cancelled.IsZero() {
			return 0, executor.CancelledParent(parent)
		}
		depth = s.trees.Depth(parent)
	}
	return depth + 1, s.trees.Admits(parent, depth, trial.Children(parent))
}

// eachChild calls visit for each child of a task after an order number, until it answers false. The caller
// holds mu.
func (s *Store) eachChild(parent uuid.UUID, from uint64, oldest bool, visit func(order uint64, p place) bool) {
	s.trees.EachChild(parent, from, oldest, func(id uuid.UUID, order uint64) bool {
		p, err := s.find(id)
		return err != nil || visit(order, p)
	})
}

// OpenBelow implements executor.Store.
func (s *Store) OpenBelow(ctx context.Context, w *executor.TreeWalk) (uuid.UUID, error) {
	return s.trees.Walk(ctx, w, &s.mu, &s.closed)
}

// cancelBelow cancels the tasks below those that were cancelled. It works in pieces, so that others can have
// the lock between them.
func (s *Store) cancelBelow(descents []*kit.Descent) {
	for _, d := range descents {
		for s.cancelPiece(d) {
			runtime.Gosched()
		}
		s.mu.Lock()
		s.trees.Arrive(d.From)
		s.mu.Unlock()
	}
}

func (s *Store) cancelPiece(d *kit.Descent) (more bool) {
	var running []*lease
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	now := s.now()
	ids, more := s.trees.Next(d)
	for _, id := range ids {
		e := s.records.get(id)
		switch outcome, _ := s.cancel(place{entry: e}, d.Cancel, now); outcome {
		case schema.OutcomeCancelled:
			s.counts.Below++
		case schema.OutcomeCancelling:
			running = append(running, e.Value.lease())
		}
	}
	s.planned.Settle(now)
	s.sweep(now)
	s.mu.Unlock()
	for _, l := range running { // without the lock, because Revoke may call back
		l.Revoke(&d.Cancel)
	}
	return more
}

// publishProgressSoon sets a timer to publish the progress of parents that follows from their children. The
// caller holds mu.
func (s *Store) publishProgressSoon() {
	if s.progressTimer == nil {
		tell := s.publishProgress
		if s.replica != nil {
			tell = s.replica.due
		}
		s.progressTimer = time.AfterFunc(executor.ProgressEvery, tell)
	} else {
		s.progressTimer.Reset(executor.ProgressEvery)
	}
}

// publishProgress publishes the changed progress of running parents whose start was published.
func (s *Store) publishProgress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.publishProgressLocked()
}

// publishProgressLocked is publishProgress with mu held.
func (s *Store) publishProgressLocked() {
	ids, more := s.trees.TakeChanged()
	for _, id := range ids {
		e := s.records.get(id)
		if e == nil {
			continue
		}
		if l := e.Value.lease(); l != nil && l.seq > 0 {
			l.publish(executor.Event{Kind: executor.EventProgress, Progress: s.trees.Progress(id)})
		}
	}
	if more {
		s.publishProgressSoon()
	}
}

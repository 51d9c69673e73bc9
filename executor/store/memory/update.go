package memory

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file changes a queued task.

// Update implements executor.Store.
func (s *Store) Update(_ context.Context, id uuid.UUID, u *executor.Update) (schema.Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return schema.Task{}, executor.ErrClosed
	}
	now := s.now()
	s.sweep(now)
	p, err := s.findKept(id)
	if err != nil {
		return schema.Task{}, err
	}
	changed := s.record(p)
	if changed.State != schema.Queued {
		return schema.Task{}, &executor.NotQueuedError{State: changed.State}
	}
	if t := p.entry.Value.planned(); t != nil && !t.Waits() { // it is about to end because of its conditions
		return schema.Task{}, &executor.NotQueuedError{State: schema.Failed}
	}
	if err := u.Apply(&changed); err != nil {
		return schema.Task{}, err
	}
	terms := p.entry.Value.terms
	s.feed.Publish(terms.owner, terms.events, kit.Updated(&changed, terms.labels))
	s.change(p.entry, &changed, now)
	s.planned.Settle(now)
	t := s.task(p)
	s.showWaiting(p, &t)
	return t, nil
}

// change makes a queued task what its record says. Its order number stays. The caller holds mu.
func (s *Store) change(e *entry, to *executor.Record, now schema.Time) {
	r := &e.Value
	t := r.planned()
	if t != nil {
		s.planned.Suspend(t)
	} else {
		s.claims.Remove(e)
	}
	of := *r.terms
	of.labels = to.Labels
	r.terms, r.priority = s.terms.of(&of), to.Priority
	if to.History != nil {
		r.withExtra().history = to.History
	}
	switch {
	case t != nil:
		kit.Replan(t, to)
		r.link().conditions = to.Conditions
		s.planned.Resume(t, now)
	case to.Conditions != nil:
		s.moveToPlanner(e, to, now)
	default:
		s.claims.Return([]*entry{e}, func(r record) (string, int8) { return r.terms.typ, r.priority })
		s.claims.Wake(1)
	}
}

// moveToPlanner gives a task to the planner that was in the queue before. The caller holds mu.
func (s *Store) moveToPlanner(e *entry, to *executor.Record, now schema.Time) {
	t := new(plan.Task)
	*t = kit.NewTask(to)
	t.Order, t.Value = e.Order(), e
	e.Value.node() // makes the link
	k := e.Value.link()
	k.task, k.conditions = t, to.Conditions
	s.planned.Submit(t, now, nil)
}

package memory

import (
	"context"
	"runtime"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file has the tasks with conditions. They wait in the planner and not in the queue.

// addPlanned adds a task with conditions. The caller holds mu.
func (s *Store) addPlanned(e *entry, now schema.Time) error {
	t := e.Value.planned()
	if _, err := s.admitChild(e.Value.conditions(), nil); err != nil {
		return err
	}
	if err := s.findDependencies(t.Conditions.After, nil); err != nil {
		return err
	}
	s.claims.Number(e)
	t.Order = e.Order()
	s.enlist(e)
	s.trees.Add(e.Value.conditions(), e.Value.id, e.Order())
	s.planned.Submit(t, now, s.before)
	clear(s.before)
	return nil
}

// findDependencies sets s.before to the tasks that another one comes after. The caller holds mu.
func (s *Store) findDependencies(after []schema.Dependency, trial *kit.Trial) error {
	s.before = s.before[:0]
	for i, d := range after {
		if trial.Has(d.ID) {
			s.before = append(s.before, trial.Before(d.ID))
			continue
		}
		p, err := s.find(d.ID)
		if err != nil {
			return executor.UnknownDependency(i, d.ID, err)
		}
		s.before = append(s.before, s.dependencyAt(p))
	}
	return nil
}

// dependencyAt is a task that another one comes after, as the planner needs it. The caller holds mu.
func (s *Store) dependencyAt(p place) kit.Before {
	if e := p.entry; e != nil {
		return kit.Before{State: e.Value.state, Node: e.Value.node()}
	}
	_, f := s.finals.at(p.number)
	return kit.Before{State: f.state}
}

// takeNext takes out the task that is to run next, or answers nil. The caller holds mu.
func (s *Store) takeNext(m *kit.Member, now schema.Time) *entry {
	if s.planned.Paused() {
		return nil
	}
	if s.planned.Len() == 0 { // the usual case
		return s.claims.Take(m)
	}
	t := s.planned.Peek(m.Taker(), now)
	if t == nil {
		return s.claims.Take(m)
	}
	if e := s.claims.Peek(m); e != nil && !kit.Precedes(t, e.Value.priority, e.Order()) {
		return s.claims.Take(m)
	}
	s.planned.Take(t, now)
	m.Hold(t.Type)
	s.planned.Settle(now)
	return t.Value.(*entry)
}

// release gives back the slot and the resources that a task held while it ran. The caller holds mu.
func (l *lease) release(now schema.Time) {
	s := l.claimer.store
	s.claims.Release(l.claimer.member, l.record.Type)
	if t := l.link.planned(); t != nil {
		s.planned.Release(t, now)
		s.planned.Settle(now)
	}
}

// endPlanned ends a task because of its conditions, if it still waits. If a cancel is coming down its tree, the
// task is cancelled instead. The caller holds mu.
func (s *Store) endPlanned(ending plan.Ending) {
	e := ending.Task.Value.(*entry)
	if e.Value.planned() != ending.Task { // it was cancelled meanwhile
		return
	}
	now := s.now()
	s.counts.Queued--
	if c := s.trees.CancelOf(e.Value.id); c != nil {
		s.counts.Below++
		e.Value.noteCancel(*c, now)
		s.finish(e, c.Outcome(), now)
		return
	}
	s.counts.Unrun++
	s.finish(e, kit.Unrun(ending), now)
}

// advancePlanner tells the planner the time. It works in pieces, so that others can have the lock between them.
func (s *Store) advancePlanner() {
	for s.advanceOnce() {
		runtime.Gosched()
	}
}

func (s *Store) advanceOnce() (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.planned.Advance(s.now())
}

// showWaiting sets what a queued task waits for. The caller holds mu.
func (s *Store) showWaiting(p place, t *schema.Task) {
	if p.entry != nil && t.State == schema.Queued {
		t.WaitingFor = s.waiting(p.entry)
	}
}

// waiting is what a queued task waits for because of its conditions. The caller holds mu.
func (s *Store) waiting(e *entry) []schema.Waiting {
	if t := e.Value.planned(); t != nil {
		var h *executor.History
		if x := e.Value.extra(); x != nil {
			h = x.history
		}
		return s.planned.Waits(t, h)
	}
	return nil
}

// SetGroup implements executor.Store.
func (s *Store) SetGroup(_ context.Context, name string, settings plan.Settings) error {
	return s.replan(func(now schema.Time) { s.planned.SetGroup(name, settings, now) })
}

// Pause implements executor.Store.
func (s *Store) Pause(_ context.Context, paused bool) error {
	return s.replan(func(schema.Time) {
		s.planned.Pause(paused)
		s.claims.WakeAll()
	})
}

// Groups implements executor.Store.
func (s *Store) Groups(context.Context) (all plan.Overview, err error) {
	err = s.replan(func(schema.Time) { all = s.planned.Overview() })
	return all, err
}

// replan calls a function that uses the planner, and then does what the planner has decided.
func (s *Store) replan(how func(now schema.Time)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.ErrClosed
	}
	now := s.now()
	how(now)
	s.planned.Settle(now)
	return nil
}

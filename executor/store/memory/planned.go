package memory

import (
	"context"
	"runtime"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file has the tasks with conditions. They wait in the planner in place of the queue.

// addPlanned adds a task with conditions. It needs the lock.
func (s *Store) addPlanned(e *entry, now schema.Time) error {
	t := e.Value.planned()
	if _, err := s.admitChild(e.Value.conditions(), nil); err != nil {
		return err
	}
	if err := s.findBefore(t.Conditions.After, nil); err != nil {
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

// findBefore lets s.before be the tasks that another one comes after. It needs the lock.
func (s *Store) findBefore(after []schema.Dependency, trial *kit.Trial) error {
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
		s.before = append(s.before, s.beforeAt(p))
	}
	return nil
}

// beforeAt is a task that another one comes after. It needs the lock.
func (s *Store) beforeAt(p place) kit.Before {
	if e := p.entry; e != nil {
		return kit.Before{State: e.Value.state, Node: e.Value.node()}
	}
	_, f := s.finals.at(p.number)
	return kit.Before{State: f.state}
}

// next takes out the task that is to run next, or answers nil. It needs the lock.
func (s *Store) next(m *kit.Member, now schema.Time) *entry {
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

// release gives back what a task had while it ran. It needs the lock.
func (l *lease) release(now schema.Time) {
	s := l.claimer.store
	s.claims.Release(l.claimer.member, l.record.Type)
	if t := l.link.planned(); t != nil {
		s.planned.Release(t, now)
		s.planned.Settle(now)
	}
}

// endPlanned ends a task because of its conditions, if it still waits. One to which a cancel is on
// its way is cancelled. It needs the lock.
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

// pass tells the planner the time. Between two pieces those go first that wait for the lock.
func (s *Store) pass() {
	for s.passed() {
		runtime.Gosched()
	}
}

func (s *Store) passed() (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.planned.Advance(s.now())
}

// showWaiting sets what a queued task waits for. It needs the lock.
func (s *Store) showWaiting(p place, t *schema.Task) {
	if p.entry != nil && t.State == schema.Queued {
		t.WaitingFor = s.waiting(p.entry)
	}
}

// waiting is what a queued task waits for because of its conditions. It needs the lock.
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

// replan lets a function use the planner, and carries out what comes of it.
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

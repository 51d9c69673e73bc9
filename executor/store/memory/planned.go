package memory

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file has the tasks with conditions. They wait in the planner in place of the queue.

// planPiece is how many tasks become ready, or end because of a condition, before others can
// have the lock.
const planPiece = 256

// clockCheck is how long at most the planner is not told the time while it waits for one,
// because the clock may be set.
const clockCheck = time.Minute

// addPlanned adds a task with conditions. It needs the lock.
func (s *Store) addPlanned(e *entry, now schema.Time) error {
	r := &e.Value
	t := r.planned()
	var failed uuid.UUID
	for i, d := range t.Conditions.After {
		p, err := s.find(d.ID)
		if err != nil {
			return executor.UnknownDependency(i, d.ID, err)
		}
		if state := s.stateOf(p); state.Final() && !d.On.Met(state) {
			failed = d.ID
		}
	}
	s.claims.Number(e)
	t.Order = e.Order()
	s.enlist(e)
	if failed != uuid.Nil {
		s.ending = append(s.ending, plan.Ending{Task: t, Cause: failed})
		return nil
	}
	s.planner.Add(t, now, func(id uuid.UUID) bool { return s.records.get(id) != nil })
	return nil
}

// stateOf is the state of a task. It needs the lock.
func (s *Store) stateOf(p place) schema.State {
	if p.entry != nil {
		return p.entry.Value.state
	}
	_, f := s.finals.at(p.number)
	return f.state
}

// next takes out the task that is to run next, or answers nil. It needs the lock.
func (s *Store) next(m *kit.Member, now schema.Time) *entry {
	if s.planner.Len() == 0 && !s.planner.Paused() { // the usual case
		return s.claims.Take(m)
	}
	if s.planner.Paused() {
		return nil
	}
	t := s.planner.Peek(m.Takes)
	if t == nil {
		return s.claims.Take(m)
	}
	if e := s.claims.Peek(m); e != nil && (e.Value.priority > t.Priority || e.Value.priority == t.Priority && e.Order() < t.Order) {
		return s.claims.Take(m)
	}
	s.planner.Take(t, now)
	m.Hold(t.Type)
	s.settle(now)
	return s.records.get(t.ID)
}

// release gives back what a task had while it ran. It needs the lock.
func (l *lease) release(now schema.Time) {
	s := l.claimer.store
	s.claims.Release(l.claimer.member, l.record.Type)
	if l.planned != nil {
		s.planner.Release(l.planned, now)
		s.settle(now)
	}
}

// settle carries out what the planner has found. It needs the lock.
func (s *Store) settle(now schema.Time) {
	for left := planPiece; ; {
		changes := s.planner.Changes()
		s.claims.Wake(changes.Ready)
		s.ending = append(s.ending, changes.Ending...)
		n := min(left, len(s.ending))
		if n == 0 {
			break
		}
		left -= n
		ending := s.ending[:n]
		s.ending = s.ending[n:]
		for _, e := range ending {
			s.endPlanned(e, now)
		}
	}
	s.wakeAt(now)
}

// endPlanned ends a task because of a condition, if it still waits. It needs the lock.
func (s *Store) endPlanned(ending plan.Ending, now schema.Time) {
	e := s.records.get(ending.Task.ID)
	if e == nil || e.Value.planned() != ending.Task { // it was cancelled meanwhile
		return
	}
	s.counts.Queued--
	s.counts.Unrun++
	s.finish(e, executor.Outcome{State: schema.Failed, Error: ending.Error()}, now)
}

// wakeAt lets pass be called when something changes by itself. It needs the lock.
func (s *Store) wakeAt(now schema.Time) {
	at := s.planner.Next()
	if len(s.ending) > 0 {
		at = now
	}
	if at == s.wakesAt || s.closed {
		return
	}
	s.wakesAt = at
	if s.timer != nil {
		s.timer.Stop()
	}
	if !at.IsZero() {
		s.timer = time.AfterFunc(min(time.Duration(max(at-now, 0))*time.Microsecond, clockCheck), s.pass)
	}
}

// pass tells the planner the time.
func (s *Store) pass() {
	for more := true; more; {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return
		}
		now := schema.Now()
		more = s.planner.Advance(now, planPiece)
		s.wakesAt = 0
		s.settle(now)
		more = more || len(s.ending) > 0
		s.mu.Unlock()
	}
}

// showWaiting sets what a queued task waits for. It needs the lock.
func (s *Store) showWaiting(p place, t *schema.Task) {
	if p.entry != nil && t.State == schema.Queued && t.Conditions != nil {
		t.WaitingFor = s.planner.Waiting(p.entry.Value.planned())
	}
}

// SetGroup implements executor.Store.
func (s *Store) SetGroup(_ context.Context, name string, settings plan.Settings) error {
	return s.change(func(now schema.Time) { s.planner.SetGroup(name, settings, now) })
}

// Pause implements executor.Store.
func (s *Store) Pause(_ context.Context, paused bool) error {
	return s.change(func(schema.Time) {
		s.planner.Pause(paused)
		s.claims.WakeAll()
	})
}

// Groups implements executor.Store.
func (s *Store) Groups(context.Context) (groups []plan.Group, err error) {
	err = s.change(func(schema.Time) { groups = s.planner.Groups() })
	return groups, err
}

func (s *Store) change(how func(now schema.Time)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.ErrClosed
	}
	now := schema.Now()
	how(now)
	s.settle(now)
	return nil
}

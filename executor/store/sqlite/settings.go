package sqlite

import (
	"bytes"
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file changes what is of no task: the settings of groups, and schedules.

// setting is a change of such a thing.
type setting interface {
	write(t *transaction) error
	// apply makes the change visible. It has the store's lock.
	apply(s *Store)
	// asIs is the change that makes it what the store has now. It takes the store's lock.
	asIs(s *Store) setting
}

// resetting is the entry of a setting.
type resetting struct {
	setting
	ready chan struct{}
	err   error
}

func (s *Store) set(ctx context.Context, to setting) error {
	e := &resetting{setting: to, ready: make(chan struct{})}
	s.mu.Lock()
	if err := s.refuses(); err != nil {
		s.mu.Unlock()
		return err
	}
	s.append(e)
	s.mu.Unlock()
	if err := s.await(ctx, e.ready, "do it again"); err != nil {
		s.withdraw(e)
		return err
	}
	return e.err
}

func (e *resetting) weight() (int, int) { return 1, 0 }

func (e *resetting) fail(s *Store, err error) entry {
	e.err = err
	s.committer.undo = append(s.committer.undo, undo{setting: e.setting})
	return nil
}

func (e *resetting) done() { close(e.ready) }

// regroup is a change of the settings of a group. The name "" is everything.
type regroup struct {
	name     string
	settings plan.Settings
}

// SetGroup implements executor.Store.
func (s *Store) SetGroup(ctx context.Context, name string, settings plan.Settings) error {
	return s.set(ctx, regroup{name: name, settings: settings})
}

// Pause implements executor.Store.
func (s *Store) Pause(ctx context.Context, paused bool) error {
	return s.set(ctx, regroup{settings: plan.Settings{Paused: paused}})
}

func (g regroup) write(t *transaction) error {
	c, err := t.writer()
	if err != nil {
		return err
	}
	return file.WriteGroup(c, g.name, g.settings)
}

func (g regroup) apply(s *Store) {
	if g.name != "" {
		s.planned.SetGroup(g.name, g.settings, schema.Now())
		return
	}
	s.planned.Pause(g.settings.Paused)
	s.claims.WakeAll()
}

func (g regroup) asIs(s *Store) setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.name == "" {
		return regroup{settings: plan.Settings{Paused: s.planned.Paused()}}
	}
	return regroup{name: g.name, settings: s.planned.GroupOf(g.name).Settings}
}

// reschedule is a change of schedules. Those with a nil text are removed.
type reschedule []executor.ScheduleText

// SetSchedules implements executor.Store.
func (s *Store) SetSchedules(ctx context.Context, changed ...executor.ScheduleText) error {
	copied := make(reschedule, len(changed))
	for i, c := range changed {
		copied[i] = executor.ScheduleText{Name: c.Name, Text: bytes.Clone(c.Text)}
	}
	return s.set(ctx, copied)
}

func (r reschedule) write(t *transaction) error {
	c, err := t.writer()
	if err != nil {
		return err
	}
	for _, changed := range r {
		if err := file.WriteSchedule(c, changed.Name, changed.Text); err != nil {
			return err
		}
	}
	return nil
}

func (r reschedule) apply(s *Store) { s.schedules.Set(r) }

func (r reschedule) asIs(s *Store) setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := make(reschedule, len(r))
	for i, changed := range r {
		was[i] = executor.ScheduleText{Name: changed.Name, Text: s.schedules.Text(changed.Name)}
	}
	return was
}

// Schedules implements executor.Store.
func (s *Store) Schedules(context.Context) ([]executor.ScheduleText, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return s.schedules.All(), nil
}

// readSchedules reads the schedules that the last process left. One that cannot be read makes no
// tasks, and is as one that is not there.
func (s *Store) readSchedules() error {
	return file.ReadSchedules(s.committer.conn, func(name string, text []byte, err error) {
		if err != nil {
			s.log.Error("a schedule cannot be read, so it makes no tasks; make it again, or remove it", "schedule", name, "error", err)
			return
		}
		s.schedules.Set([]executor.ScheduleText{{Name: name, Text: text}})
	})
}

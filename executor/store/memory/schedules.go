package memory

import (
	"context"

	"github.com/jobline/jobline/executor"
)

// SetSchedules implements executor.Store.
func (s *Store) SetSchedules(_ context.Context, changed ...executor.ScheduleText) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.ErrClosed
	}
	s.schedules.Set(changed)
	return nil
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

package memory

import (
	"context"

	"github.com/jobline/jobline/executor"
)

// SetSchedule implements executor.Store.
func (s *Store) SetSchedule(_ context.Context, name string, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.ErrClosed
	}
	s.schedules.Set(name, text)
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

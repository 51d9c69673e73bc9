package sqlite

import (
	"github.com/jobline/jobline/executor"
)

// This file tells watchers the progress that tasks have by their children.

// tellSoon lets watchers be told soon. It needs the lock.
func (s *Store) tellSoon() { s.telling.Reset(executor.ProgressEvery) }

// tellProgress publishes the progress of the tasks that run, of whose start watchers know.
func (s *Store) tellProgress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	ids, more := s.trees.TakeChanged()
	for _, id := range ids {
		r := s.live[id]
		if r == nil || r.seq == 0 || r.lease == nil || r.lease.lost() || r.lease.progress != nil {
			continue
		}
		s.publish(r, executor.Event{Kind: executor.EventProgress, Progress: s.trees.Progress(id)})
	}
	if more {
		s.tellSoon()
	}
}

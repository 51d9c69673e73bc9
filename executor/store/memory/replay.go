package memory

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// Replay implements executor.Store.
func (s *Store) Replay(_ context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	s.sweepBeforeRead()
	if after < s.lastForgotten {
		return nil, &executor.EventsGoneError{After: after, Oldest: s.lastForgotten}
	}
	var events []executor.Event
	for e := s.running.First(); e != nil; e = e.Next() {
		if l := e.Value.life; l.seq > after && l.seq <= through {
			events = append(events, kit.StartOf(l.seq, l.lease.record, l.lease.live()))
		}
	}
	first := s.finals.after(after)
	for n := first; n < min(s.finals.next, first+uint64(limit)); n++ {
		_, f := s.finals.at(n)
		if f.seq > through {
			break
		}
		task := s.task(place{number: n})
		events = append(events, kit.EndOf(f.seq, &task))
	}
	return kit.ReplayPage(events, limit), nil
}

package nats

import (
	"time"

	"github.com/google/uuid"
)

const (
	// tickStep is how much later than the process before it each process writes a tick.
	tickStep = 20 * time.Millisecond
	// tickSteps bounds how many such steps a process waits.
	tickSteps = 10
)

// tick writes an entry because something is due by time alone. All processes notice that at about the same
// time, and an entry of any of them does. So the process that joined first writes at once, and each other one a
// moment later if there is no entry yet.
func (s *Store) tick() {
	s.mu.Lock()
	self, begun := s.self, s.begun
	s.dueEarly = s.dueEarly || !begun
	s.mu.Unlock()
	if !begun { // begin calls tick again
		return
	}
	before := s.machine.beats.Load()
	n := s.machine.peersBefore(self)
	if n == 0 {
		s.writeTick()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.tickTimer != nil && s.tickAfter == before { // a tick is about to be written
		return
	}
	if s.tickTimer != nil {
		s.tickTimer.Stop()
	}
	s.tickAfter = before
	s.tickTimer = time.AfterFunc(min(time.Duration(n), tickSteps)*tickStep, func() { s.tickLate(before) })
}

// tickLate writes the entry if there was no Beat since tick set the timer.
func (s *Store) tickLate(before uint64) {
	s.mu.Lock()
	if s.tickAfter == before {
		s.tickTimer = nil
	}
	s.mu.Unlock()
	if s.machine.beats.Load() == before { // otherwise that Beat makes the copy call tick again if more is due
		s.writeTick()
	}
}

func (s *Store) writeTick() { _ = s.put(&pending{change: change{Beat: true}}) }

// peersBefore is how many processes joined before one. It is 0 for a process that has not joined yet.
func (m *machine) peersBefore(id uuid.UUID) (n int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.peers[id]
	if p == nil {
		return 0
	}
	for _, o := range m.peers {
		if o.cameBefore(p) {
			n++
		}
	}
	return n
}

// cameBefore reports whether a process joined before another one.
func (p *peer) cameBefore(o *peer) bool {
	return p.since < o.since || p.since == o.since && compareIDs(p.id, o.id) < 0
}

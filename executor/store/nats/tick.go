package nats

import (
	"time"

	"github.com/google/uuid"
)

const (
	// tickStep is how much later than another process each one says that time has passed.
	tickStep = 20 * time.Millisecond
	// tickSteps is how many such steps a process waits at most.
	tickSteps = 10
)

// tick writes an entry because time alone changes something: that of each process is as good as
// another's. All notice at about the same time. So the one that came first writes it, and each
// other one a moment later where it was not written.
func (s *Store) tick() {
	s.mu.Lock()
	self, begun := s.self, s.begun
	s.dueEarly = s.dueEarly || !begun
	s.mu.Unlock()
	if !begun { // begin calls it again
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
	if s.closing || s.tickTimer != nil && s.tickAfter == before { // what is about to be written is as good
		return
	}
	if s.tickTimer != nil {
		s.tickTimer.Stop()
	}
	s.tickAfter = before
	s.tickTimer = time.AfterFunc(min(time.Duration(n), tickSteps)*tickStep, func() { s.tickLate(before) })
}

// tickLate is tick a moment later, where there had been so many beats.
func (s *Store) tickLate(before uint64) {
	s.mu.Lock()
	if s.tickAfter == before {
		s.tickTimer = nil
	}
	s.mu.Unlock()
	if s.machine.beats.Load() == before { // otherwise it lets tick be called again where more is due
		s.writeTick()
	}
}

// writeTick writes the entry. A store that is closed needs none.
func (s *Store) writeTick() { _ = s.put(&pending{change: change{Beat: true}}) }

// peersBefore is how many processes came before one.
func (m *machine) peersBefore(id uuid.UUID) (n int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.peers[id]
	if p == nil { // it has not come yet
		return 0
	}
	for _, o := range m.peers {
		if o.cameBefore(p) {
			n++
		}
	}
	return n
}

// cameBefore reports whether a process came before another one.
func (p *peer) cameBefore(o *peer) bool {
	return p.since < o.since || p.since == o.since && compareIDs(p.id, o.id) < 0
}

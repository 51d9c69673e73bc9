package nats

import (
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file says who needs the beginning of the log yet.

const (
	// maxDriverHold is how long a driver may hold the log back. It may say what it likes of what it has read. One that reads on behind
	// that finds a gap, ends, and begins anew with a snapshot.
	maxDriverHold = 5 * time.Minute
	// holdTold is how long a process may hold the log back before that is told.
	holdTold = 30 * time.Second
)

// hold is that the log cannot be made shorter because a process has not read enough of it.
type hold struct {
	since time.Time // zero where there is none
	told  uuid.UUID // which process
}

// purgePoint is the entry before which the log can lose all: the wanted one, or one before it that all have applied. Where the log is
// nearly full, those do not count that were silent for their lease: an entry that gives them up may not fit.
func (s *Store) purgePoint(wanted uint64, log *extent) uint64 {
	full, now := log.nearlyFull(0), schema.TimeOf(log.at)
	counts := func(p *peer) bool {
		return !full || now-p.latest <= schema.Time(time.Duration(p.about.Lease).Microseconds())
	}
	least, by := s.appliedByAll(counts)
	if least >= wanted {
		s.hold = hold{}
		return wanted
	}
	if s.hold.since.IsZero() {
		s.hold.since = time.Now()
	}
	held := time.Since(s.hold.since)
	if held >= maxDriverHold {
		least, by = s.appliedByAll(func(p *peer) bool { return counts(p) && p.about.Role != RoleDriver })
	}
	if by != nil && least < wanted && held >= holdTold && s.hold.told != by.id {
		s.hold.told = by.id
		s.log.Warn("the log of the store cannot be made shorter, because a process has not said that it has read enough of it",
			"process", by.about.Name, "host", by.about.Host, "role", by.about.Role, "read", by.applied, "of", wanted)
	}
	return min(least, wanted)
}

// appliedByAll is an entry that all processes have applied that count, and all before it, and a copy of the one that
// has applied no more, nil where that is this one.
func (s *Store) appliedByAll(counts func(*peer) bool) (least uint64, by *peer) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	least = s.applied.Load()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, p := range m.peers {
		if p.id != self && p.applied < least && counts(p) {
			least, by = p.applied, &peer{id: p.id, about: p.about, applied: p.applied}
		}
	}
	return least, by
}

package nats

import (
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file finds which entries of the log a process may still need.

const (
	// maxDriverHold is for how long a driver may keep the log from being shortened: what a driver says about
	// its progress cannot be trusted. A driver that falls behind by more finds a gap, ends, and begins again
	// with a snapshot.
	maxDriverHold = 5 * time.Minute
	// holdTold is how long a process may keep the log from being shortened before a warning is logged.
	holdTold = 30 * time.Second
)

// hold is the state in which the log cannot be shortened as wanted, because a process has not applied enough of
// it.
type hold struct {
	since time.Time // zero if nothing holds the log
	told  uuid.UUID // the process of which a warning was logged
}

// purgePoint is the entry before which the log can be purged: the wanted one, or the latest before it that all
// processes have applied. If the log is nearly full, processes that were silent for their lease do not count:
// the entry that would fence them may not fit.
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
		s.log.Warn("the log of the store cannot be shortened, because a process has not said that it has read enough of it",
			"process", by.about.Name, "host", by.about.Host, "role", by.about.Role, "read", by.applied, "of", wanted)
	}
	return min(least, wanted)
}

// appliedByAll is the latest entry that all processes that count have applied, and a copy of the process that
// has applied the fewest, or nil if that is this one.
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

package nats

import "fmt"

// This file compares what the processes know. Their copies are equal unless something is wrong. Then
// tasks could run twice: so of processes that differ, some end.

// maxRecentDigests is behind how many entries with a Beat a process remembers what it knew.
const maxRecentDigests = 64

// recentDigests is what this process knew behind the latest entries with a Beat. The goroutine that
// applies the log has it.
type recentDigests struct {
	ring [maxRecentDigests]entryDigest // the newest in the place of the oldest
	next int
}

// differsError says that this process knows something else than most executors.
type differsError struct {
	entry uint64
	from  hello
}

func (e *differsError) Error() string {
	return fmt.Sprintf("behind entry %d of the log this process knows something else than %s at %s, so it ends; start it again, and if that comes back end all servers of the namespace, and start them with one version of jobline", e.entry, e.from.Name, e.from.Host)
}

// add notes what is known behind an entry.
func (a *recentDigests) add(s entryDigest) {
	a.ring[a.next] = s
	a.next = (a.next + 1) % len(a.ring)
}

// differs reports whether another process knew something else than this one, where this one remembers that.
func (a *recentDigests) differs(other *entryDigest) bool {
	for _, mine := range a.ring {
		if mine.Entry == other.Entry && mine.Digest != other.Digest {
			return true
		}
	}
	return false
}

// compareDigests compares what the writer of a message has seen, and notes what is known behind it.
func (s *Store) compareDigests(p *peer, changes []change, own bool) error {
	beats := false
	for i := range changes {
		c := &changes[i]
		if !c.Beat {
			continue
		}
		beats = true
		if c.Seen == nil {
			continue
		}
		s.machine.noteApplied(p, c.Seen.Entry)
		if p.about.Role == RoleExecutor && s.recentDigests.differs(c.Seen) { // what a driver says stops nobody
			if err := s.handleMismatch(p, c.Seen.Entry); err != nil {
				return err
			}
		}
	}
	// What came before this process is not compared: who wrote it may be gone, and would keep everybody from starting.
	now := entryDigest{Entry: s.applied.Load() + 1}
	if !beats || now.Entry <= s.backlog && s.reportMismatch == nil {
		return nil
	}
	now.Digest = s.machine.tasks.Digest()
	s.recentDigests.add(now)
	if own {
		s.mu.Lock()
		s.seen = now
		s.mu.Unlock()
	}
	return nil
}

// handleMismatch decides who ends because another executor knows something else.
func (s *Store) handleMismatch(p *peer, entry uint64) error {
	first := s.machine.markDiffering(p)
	switch {
	case s.reportMismatch != nil:
		if first {
			s.reportMismatch(fmt.Sprintf("behind entry %d %s at %s has noted that it knew something else than the log makes", entry, p.about.Name, p.about.Host))
		}
		return nil
	case first:
		s.log.Error("a process that shares the store knows something else than this one; one of them ends", "process", p.about.Name, "host", p.about.Host, "entry", entry)
	}
	if s.machine.outvoted() {
		return &differsError{entry, p.about}
	}
	return nil
}

// markDiffering notes that a process knows something else than this one. It reports whether that is new.
func (m *machine) markDiffering(p *peer) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first = !p.differs
	p.differs = true
	return first
}

// outvoted reports whether this process is to end: more than half of the executors know something else than it, or half of them
// with the one that came first. One that has said nothing yet counts as one that knows the same, until it beats.
func (m *machine) outvoted() bool {
	all, others := 0, 0
	var first *peer
	for _, p := range m.peers {
		if p.about.Role != RoleExecutor {
			continue
		}
		all++
		if p.differs {
			others++
		}
		if first == nil || p.cameBefore(first) {
			first = p
		}
	}
	return 2*others > all || 2*others == all && first.differs
}

// anyDiffers reports whether there is an executor that knows something else than this process.
func (m *machine) anyDiffers() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, p := range m.peers {
		if p.differs {
			return true
		}
	}
	return false
}

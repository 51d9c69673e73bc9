package nats

import "fmt"

// This file compares the copies of the processes by their digests. The copies are equal unless there is a
// fault. Where they differ, a task could run twice, so some of the processes that differ end.

// maxRecentDigests is for how many of the latest entries with a Beat a process remembers its own digest.
const maxRecentDigests = 64

// recentDigests are the digests of this process's copy after the latest entries with a Beat. Only the goroutine
// that applies the log uses them.
type recentDigests struct {
	ring [maxRecentDigests]entryDigest // a ring: the newest replaces the oldest
	next int
}

// differsError says that the copy of this process differs from the copies of most executors.
type differsError struct {
	entry uint64
	from  hello
}

func (e *differsError) Error() string {
	return fmt.Sprintf("after entry %d of the log the copy of this process differs from that of %s at %s, so it ends; start it again, and if that comes back end all servers of the namespace, and start them with one version of jobline", e.entry, e.from.Name, e.from.Host)
}

func (a *recentDigests) add(s entryDigest) {
	a.ring[a.next] = s
	a.next = (a.next + 1) % len(a.ring)
}

// differs reports whether another process had a different digest after the same entry. It is false for an entry
// that this process no longer remembers.
func (a *recentDigests) differs(other *entryDigest) bool {
	for _, mine := range a.ring {
		if mine.Entry == other.Entry && mine.Digest != other.Digest {
			return true
		}
	}
	return false
}

// compareDigests compares the digests that the writer of a message has sent with those of this process, and
// remembers the digest after the message. own says that this process wrote the message.
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
		if p.about.Role == RoleExecutor && s.recentDigests.differs(c.Seen) { // the digest of a driver ends no process
			if err := s.handleMismatch(p, c.Seen.Entry); err != nil {
				return err
			}
		}
	}
	if beats && s.observer == nil {
		if err := s.settleTie(); err != nil {
			return err
		}
	}
	// Entries from before the start of this process are not compared: their writer may be gone, and no process could start if its digest was wrong.
	now := entryDigest{Entry: s.applied.Load() + 1}
	if !beats || now.Entry <= s.backlog && s.observer == nil {
		return nil
	}
	now.Digest = s.machine.tasks.Digest()
	s.recentDigests.add(now)
	if o := s.observer; o != nil && o.digest != nil {
		o.digest(now)
	}
	if own {
		s.mu.Lock()
		s.seen = now
		s.mu.Unlock()
	}
	return nil
}

// handleMismatch handles an executor whose digest differs. It answers an error if this process is the one to
// end.
func (s *Store) handleMismatch(p *peer, entry uint64) error {
	first := s.machine.markDiffering(p)
	switch {
	case s.observer != nil:
		if first && s.observer.mismatch != nil {
			s.observer.mismatch(fmt.Sprintf("after entry %d the copy of %s at %s differed from what the log makes", entry, p.about.Name, p.about.Host))
		}
		return nil
	case first:
		s.log.Error("the copy of a process that shares the store differs from this one; one of the two ends", "process", p.about.Name, "host", p.about.Host, "entry", entry)
	}
	switch outvoted, tied := s.machine.vote(); {
	case outvoted:
		return &differsError{entry, p.about}
	case tied && s.tie == nil && s.options.Role == RoleExecutor: // the others wait for how it ends
		s.recount(&differsError{entry, p.about})
	}
	return nil
}

// markDiffering notes that the copy of a process differs from this one. It reports whether that was not known
// before.
func (m *machine) markDiffering(p *peer) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first = !p.differs
	p.differs = true
	return first
}

// vote counts the executors. outvoted says that the copies of more than half of them differ from this one, and tied that those of
// exactly half of them do. An executor that has sent no digest yet counts as equal.
func (m *machine) vote() (outvoted, tied bool) {
	all, others := 0, 0
	for _, p := range m.peers {
		if p.about.Role != RoleExecutor {
			continue
		}
		all++
		if p.differs {
			others++
		}
	}
	return 2*others > all, others > 0 && 2*others == all
}

// firstDiffers reports whether the copy of the executor that joined first differs from this one.
func (m *machine) firstDiffers() bool {
	var first *peer
	for _, p := range m.peers {
		if p.about.Role == RoleExecutor && (first == nil || p.cameBefore(first)) {
			first = p
		}
	}
	return first != nil && first.differs
}

// anyDiffers reports whether the copy of any process is known to differ from this one.
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

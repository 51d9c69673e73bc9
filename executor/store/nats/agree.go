package nats

import "fmt"

// This file compares what the processes know. Their copies are equal unless something is wrong, such
// as two versions of the program, and then tasks could run twice: so a process stops where its copy
// differs from another's.

// rememberedDigests is behind how many entries with a Beat a process remembers what it knew.
const rememberedDigests = 64

// agreement is what this process knew behind the latest entries with a Beat. The goroutine that
// applies the log has it.
type agreement struct {
	known [rememberedDigests]seen // the newest in the place of the oldest
	next  int
}

// differsError says that this process knows something else than another one.
type differsError struct {
	entry uint64
	from  hello
}

func (e *differsError) Error() string {
	return fmt.Sprintf("behind entry %d of the log this process knows something else than %s at %s; end all that share the store, and start them with one version of jobline", e.entry, e.from.Name, e.from.Host)
}

// note notes what is known behind an entry.
func (a *agreement) note(s seen) {
	a.known[a.next] = s
	a.next = (a.next + 1) % len(a.known)
}

// check compares what another process knew with what this one did, where it remembers that.
func (a *agreement) check(p *peer, other *seen) error {
	for _, mine := range a.known {
		if mine.Entry == other.Entry && mine.Digest != other.Digest {
			return &differsError{other.Entry, p.about}
		}
	}
	return nil
}

// agree compares what the writer of a message has seen, and notes what is known behind it.
func (s *Store) agree(p *peer, changes []change, own bool) error {
	beats := false
	for i := range changes {
		if c := &changes[i]; c.Beat {
			beats = true
			if c.Seen != nil {
				s.machine.hasApplied(p, c.Seen.Entry)
			}
			if c.Seen != nil && p.about.Role == RoleExecutor { // what a driver says stops nobody
				if err := s.agreement.check(p, c.Seen); err != nil {
					return err
				}
			}
		}
	}
	if !beats {
		return nil
	}
	now := seen{s.applied.Load() + 1, s.machine.tasks.Digest()}
	s.agreement.note(now)
	if own {
		s.mu.Lock()
		s.seen = now
		s.mu.Unlock()
	}
	return nil
}

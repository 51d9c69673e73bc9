package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file lets no two executors that live have one name.

// ErrNameTaken says that another executor that lives has the name of this one.
var ErrNameTaken = errors.New("another executor that lives has this name")

// checkName answers ErrNameTaken where another executor has the name that was given to this one and is heard
// of again. One that is dead is still among the others until its lease is over, so it waits for two
// of its beats. Of two that come together the later one in the log finds the other.
func (s *Store) checkName(ctx context.Context) error {
	if s.options.Name == "" || s.options.Slots == 0 {
		return nil
	}
	for _, other := range s.namesakes() {
		beats := time.NewTimer(2 * time.Duration(other.about.Lease) / beatsPerLease)
		defer beats.Stop()
		look := time.NewTicker(namePause)
		defer look.Stop()
		for waits := true; waits; {
			select {
			case <-look.C:
				there, heard := s.machine.heardSince(other.peer, other.latest)
				if heard {
					s.leave(ctx)
					return fmt.Errorf("%w: %s", ErrNameTaken, processOf(other.about.Host, other.about.PID))
				}
				waits = there
			case <-beats.C:
				s.log.Warn("another executor with this name is silent; it is taken for one that has died", "process", processOf(other.about.Host, other.about.PID))
				waits = false
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// namePause is how often it is looked whether a process was heard of.
const namePause = 50 * time.Millisecond

// namesake is a process with the name of another one, and when its latest message came.
type namesake struct {
	*peer
	about  hello
	latest schema.Time
}

// namesakes are the other executors that have the name of this process.
func (s *Store) namesakes() (all []namesake) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id, p := range m.peers {
		if id != self && p.about.Slots > 0 && p.about.Name == s.options.Name {
			all = append(all, namesake{p, p.about, p.latest})
		}
	}
	return all
}

// heardSince reports whether a process is still there, and whether a message of it came after a time.
func (m *machine) heardSince(p *peer, at schema.Time) (there, heard bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	there = m.peers[p.id] == p
	return there, there && p.latest > at
}

// leave takes this process out of those that write, so that nobody waits for its lease.
func (s *Store) leave(ctx context.Context) {
	if _, err := s.do(ctx, change{Leave: true}); err != nil && !errors.Is(err, executor.ErrClosed) {
		s.log.Warn("this process could not leave the others; they give it up when its lease is over", "error", err)
	}
}

package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file keeps two live executors from having the same name.

// ErrNameTaken says that another live executor has the name of this one.
var ErrNameTaken = errors.New("another executor that lives has this name")

// checkName answers ErrNameTaken if another executor has the name that was given to this one, and is alive. A
// dead executor stays a peer until its lease has passed, so this waits for two beats of the other one. Of two
// executors with one name that start together, at least the later one in the log sees the other.
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

// namePause is how often checkName looks whether the other process was heard.
const namePause = 50 * time.Millisecond

// namesake is a process with the same name, and its hello and the time of its latest message as they were when
// it was found.
type namesake struct {
	*peer
	about  hello
	latest schema.Time
}

// namesakes are the other executors with the name of this process.
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

// heardSince reports whether a process is still a peer, and whether a message of it came after a time.
func (m *machine) heardSince(p *peer, at schema.Time) (there, heard bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	there = m.peers[p.id] == p
	return there, there && p.latest > at
}

// leave takes this process out, so that no other process waits for its lease to pass.
func (s *Store) leave(ctx context.Context) {
	if _, err := s.do(ctx, change{Leave: true}); err != nil && !errors.Is(err, executor.ErrClosed) {
		s.log.Warn("this process could not leave the others; they give it up when its lease is over", "error", err)
	}
}

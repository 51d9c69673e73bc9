package nats

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
)

// This file has the changes of this process that are not in its copy of the log yet.

const (
	// maxQueued is how many bytes of changes wait to be sent before those who can wait do.
	maxQueued = 8 << 20
	// maxFlights is how many messages are under way at once.
	maxFlights = 4
	// messageBytes is about how many bytes of changes go into one message.
	messageBytes = 128 << 10
	// messageChanges is how many changes go into one message.
	messageChanges = 2048
	// readTimeout is how long a read waits for what this process has written before.
	readTimeout = 5 * time.Second
	// outcomeTimeout is how long a change that a caller waits for may be under way.
	outcomeTimeout = 30 * time.Second
)

// pending is a change of this process that has not been applied.
type pending struct {
	change
	// done is told once what has become of it, by the goroutine that applies. It must not block.
	done func(answer)
	// resolved is closed when it is applied, or given up: for those that read what comes of it.
	resolved chan struct{}
}

// flight is a message that was sent and has not been applied.
type flight struct {
	number  uint64
	pieces  [][]byte
	changes []*pending
	sent    time.Time // the latest time
	first   moment    // the first time
	resends int       // how often it was sent again
	lost    bool      // one behind it has arrived before it
}

// put queues changes to be sent together and in this order. It answers ErrClosed when the store is
// closed; then none of them is told anything.
func (s *Store) put(changes ...*pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writeError(); err != nil {
		return err
	}
	for _, p := range changes {
		if !s.options.Role.permits(&p.change) {
			return s.options.Role.refusal()
		}
	}
	s.enqueue(changes...)
	for _, p := range changes {
		s.claimWithSubmits(p.Submit)
	}
	return nil
}

// writeError says why nothing more can be changed, or nil; it needs the lock.
func (s *Store) writeError() error {
	switch {
	case s.closing:
		return executor.ErrClosed
	case s.broken != nil:
		return fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, s.broken)
	}
	return nil
}

// enqueue is put, with the lock held.
func (s *Store) enqueue(changes ...*pending) {
	for _, p := range changes {
		s.queuedBytes += p.weight()
	}
	s.queue = append(s.queue, changes...)
	wake(s.send)
}

// wake puts a value into a channel that has room for one.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waitForRoom waits until there is room in the queue.
func (s *Store) waitForRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		full, left, closing := s.queuedBytes > maxQueued, s.dequeued, s.closing
		s.mu.Unlock()
		switch {
		case closing:
			return executor.ErrClosed
		case !full:
			return nil
		}
		select {
		case <-left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// do makes a change and waits until it is applied.
func (s *Store) do(ctx context.Context, c change) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	said := make(chan answer, 1)
	p := &pending{change: c, done: func(a answer) { said <- a }}
	err := s.waitForRoom(ctx)
	if err == nil {
		err = s.put(p)
	}
	if err != nil {
		return answer{}, s.unavailable(ctx, err)
	}
	select {
	case a := <-said:
		return a, a.err
	case <-ctx.Done():
		err := context.Cause(ctx)
		if !s.withdraw(p) {
			err = fmt.Errorf("%w: %w", executor.ErrOutcomeUnknown, err)
		}
		return answer{}, s.unavailable(ctx, err)
	}
}

// withdraw takes back a change for which nobody waits any more. It reports false where that was sent.
func (s *Store) withdraw(p *pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, p)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	s.queuedBytes -= p.weight()
	return true
}

// unavailable says why there is no answer.
func (s *Store) unavailable(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if fault := s.Info().Fault; fault != "" {
		return fmt.Errorf("%w: %s: %w", executor.ErrStoreUnavailable, fault, err)
	}
	return fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, err)
}

// putAsync makes a change for which nobody waits. What this process reads from then on shows it.
func (s *Store) putAsync(c change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writeError(); err != nil {
		return err
	}
	s.lastAsync = &pending{change: c, resolved: make(chan struct{})}
	s.enqueue(s.lastAsync)
	return nil
}

// waitForOwnWrites waits until what this process has noted can be read.
func (s *Store) waitForOwnWrites(ctx context.Context) error {
	s.mu.Lock()
	noted, closing := s.lastAsync, s.closing
	s.mu.Unlock()
	if closing {
		return executor.ErrClosed
	}
	if noted != nil {
		late := time.NewTimer(readTimeout)
		defer late.Stop()
		select {
		case <-noted.resolved:
		case <-late.C: // the copy is read as it is
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.applyRetention(ctx)
}

// resolve tells those who wait for a change.
func (p *pending) resolve(a answer) {
	if p.done != nil {
		p.done(a)
	}
	if p.resolved != nil {
		close(p.resolved)
	}
}

// gather takes the changes of the next message from the queue; it needs the lock. A hello is a message of
// its own: that is how a process is met, and a large change behind it would make it several pieces.
func (s *Store) gather() []*pending {
	n, bytes := 0, 0
	for n < len(s.queue) && n < messageChanges && (n == 0 || bytes < messageBytes && s.queue[0].Hello == nil) {
		bytes += s.queue[n].weight()
		n++
	}
	if h := s.queue[0].Hello; h != nil {
		h.Next = s.applied.Load() + 1
	}
	taken := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	s.queuedBytes -= bytes
	close(s.dequeued)
	s.dequeued = make(chan struct{})
	return taken
}

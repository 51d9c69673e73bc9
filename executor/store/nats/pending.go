package nats

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
)

// This file has the changes of this process that its copy has not applied yet.

const (
	// maxQueued bounds the bytes of changes that wait to be sent: with more, callers that can wait do
	// (backpressure).
	maxQueued = 8 << 20
	// maxFlights is how many messages may be in flight at once.
	maxFlights = 4
	// messageBytes is about how many bytes of changes go into one message.
	messageBytes = 128 << 10
	// messageChanges is how many changes go into one message, at most.
	messageChanges = 2048
	// readTimeout is how long a read waits for earlier writes of this process. After that it reads the copy as
	// it is.
	readTimeout = 5 * time.Second
	// outcomeTimeout is how long a caller waits for the result of a change.
	outcomeTimeout = 30 * time.Second
)

// pending is a change of this process that has not been applied.
type pending struct {
	change
	// done is called once with the result, by the goroutine that applies the log. It must not block.
	done func(answer)
	// resolved is closed when the change was applied, or given up; nil if no read waits for it.
	resolved chan struct{}
}

// flight is a message that was sent and not applied yet.
type flight struct {
	number  uint64
	pieces  [][]byte
	changes []*pending
	sent    time.Time // when it was sent last
	first   moment    // when it was sent first
	resends int       // how often it was sent again
	lost    bool      // a later message has arrived before it
}

// put queues changes to be sent together and in this order. After an error none of them is queued, and done of
// none is called.
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

// writeError says why nothing can be written any more, or nil. The caller holds mu.
func (s *Store) writeError() error {
	switch {
	case s.closing:
		return executor.ErrClosed
	case s.broken != nil:
		return fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, s.broken)
	}
	return nil
}

// enqueue queues changes to be sent, without a check. The caller holds mu.
func (s *Store) enqueue(changes ...*pending) {
	for _, p := range changes {
		s.queuedBytes += p.weight()
	}
	s.queue = append(s.queue, changes...)
	wake(s.send)
}

// wake sends to a channel with a buffer of one. It never blocks.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waitForRoom blocks while more than maxQueued bytes of changes wait to be sent.
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

// do writes a change and waits for its result.
func (s *Store) do(ctx context.Context, c change) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	said := make(chan answer, 1)
	p := &pending{change: c, done: func(a answer) { said <- a }}
	refused := s.denied.nextWriteRefusal()
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
	case <-refused: // it is written when the permission is given again
		return answer{}, fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, s.giveUp(p, s.denied.writeErr()))
	case <-ctx.Done():
		return answer{}, s.unavailable(ctx, s.giveUp(p, context.Cause(ctx)))
	}
}

// giveUp lets nobody wait for a change any more, for a reason. It adds to the reason that the outcome is unknown if the
// change was sent.
func (s *Store) giveUp(p *pending, why error) error {
	if s.withdraw(p) {
		return why
	}
	return fmt.Errorf("%w: %w", executor.ErrOutcomeUnknown, why)
}

// withdraw takes a change out of the queue that its caller no longer waits for. It reports false if the change
// was sent.
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

// unavailable adds to an error of a context that has ended why the store is unavailable.
func (s *Store) unavailable(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if fault := s.Info().Fault; fault != "" {
		return fmt.Errorf("%w: %s: %w", executor.ErrStoreUnavailable, fault, err)
	}
	return fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, err)
}

// putAsync queues a change without waiting for its result. Later reads of this process wait for it.
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

// waitForOwnWrites waits until the copy shows what this process has written with putAsync, at most for
// readTimeout.
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
		case <-late.C: // read the copy as it is
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return s.applyRetention(ctx)
}

// resolve gives the result to the callers that wait for the change.
func (p *pending) resolve(a answer) {
	if p.done != nil {
		p.done(a)
	}
	if p.resolved != nil {
		close(p.resolved)
	}
}

// gather takes the changes of the next message from the queue. A hello is a message of its own, so that it is
// never so long that it needs several pieces. The caller holds mu.
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

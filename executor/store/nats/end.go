package nats

import (
	"time"

	"github.com/jobline/jobline/executor"
)

// This file closes a store, and ends one that cannot go on.

// fail notes that the log can be applied no further. From then on every change fails.
func (s *Store) fail(err error) {
	s.log.Error("the store can do nothing more", "error", err)
	s.mu.Lock()
	s.broken = err
	s.mu.Unlock()
	s.giveUpLeases()
	s.failed <- err // the first and only one
}

// Failed gets one value: why the store can do nothing more. The caller then closes it, and may open it again.
func (s *Store) Failed() <-chan error { return s.failed }

// Close implements executor.Store. Tasks that still run here are settled: the other processes see them as
// interrupted. It waits at most leaveTimeout for what was written to be recorded.
func (s *Store) Close() error {
	left := make(chan struct{})
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	if s.broken == nil && s.options.Role != RoleViewer {
		s.enqueue(&pending{change: change{Leave: true}, done: func(answer) { close(left) }})
	} else { // nothing is written any more
		close(left)
	}
	s.closing = true
	s.mu.Unlock()
	select {
	case <-left:
	case <-time.After(leaveTimeout):
		s.log.Warn("the store is closed before all was recorded; the others settle what ran here when its lease is over")
	}
	s.stop()
	return nil
}

// stop ends the goroutines, and answers ErrClosed to every caller that waits.
func (s *Store) stop() {
	s.end()
	s.running.Wait()
	s.journal.close()
	s.mu.Lock()
	s.closing = true
	var rest []*pending
	for _, f := range s.flights {
		rest = append(rest, f.changes...)
	}
	rest = append(rest, s.queue...)
	s.flights, s.queue = nil, nil
	for _, timer := range []*time.Timer{s.turnTimer, s.tickTimer} {
		if timer != nil {
			timer.Stop()
		}
	}
	close(s.dequeued)
	s.dequeued = make(chan struct{})
	s.mu.Unlock()
	for _, p := range rest {
		p.resolve(answer{err: executor.ErrClosed})
	}
	close(s.stopped)
	if err := s.machine.tasks.Close(); err != nil {
		s.log.Error("the copy of the store cannot be closed", "error", err)
	}
}

// isClosed is ErrClosed after a call of Close, and else nil.
func (s *Store) isClosed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return executor.ErrClosed
	}
	return nil
}

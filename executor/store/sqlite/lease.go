package sqlite

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// Bounds of what is ahead of the file: no further task is handed out while so
// many starts and ends are not recorded, or the ends have so many bytes.
const (
	maxAhead      = 4096
	maxAheadBytes = 64 << 20
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	kit.Revocation
	store  *Store
	record *record
	// claimed is the task as it will be seen when the start is recorded.
	claimed  executor.Record
	limited  bool // its type has a limit, so that it must be released
	progress *schema.Progress
	// finishing is set when the end is in the log; ends is the latest
	// transaction that writes it.
	finishing     bool
	ends          *transaction
	cancelPending bool // a request to cancel it could not be recorded yet, and is kept
}

// Claim implements executor.Store. Where ctx ends while a start is on its way to
// the disk, the task goes back to the queue when the start is there; should the
// process die between the two, its next one takes the task for interrupted.
func (s *Store) Claim(ctx context.Context, limits executor.TypeLimits) (executor.Lease, error) {
	for {
		var e *start
		err := s.claims.Claim(ctx, &s.mu, func() (bool, error) {
			if s.closed {
				return false, executor.ErrClosed
			}
			if s.fault != nil || s.ahead >= maxAhead || s.held >= maxAheadBytes {
				return false, nil
			}
			taken := s.claims.Take(limits, func(r *record) string { return r.Type })
			if taken == nil {
				return false, nil
			}
			e = s.begin(taken.Value)
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		if e.ready == nil {
			return e.lease, nil
		}
		select {
		case err = <-e.ready:
		case <-ctx.Done():
			if s.leave(e) {
				return nil, context.Cause(ctx)
			}
			err = <-e.ready // it came at the same time
		}
		if err == nil {
			return e.lease, nil
		}
	}
}

// Record implements executor.Lease.
func (l *lease) Record() *executor.Record { return &l.claimed }

// lost needs the lock.
func (l *lease) lost() bool { return l.record.lease != l || l.finishing || l.store.closed }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	return l.happens(executor.Event{
		Kind: executor.EventStarted, Attempt: l.claimed.Attempt, StartedAt: l.claimed.StartedAt, PID: pid,
	})
}

// Progress implements executor.Lease.
func (l *lease) Progress(p schema.Progress) error {
	return l.happens(executor.Event{Kind: executor.EventProgress, Progress: &p})
}

func (l *lease) happens(ev executor.Event) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	if ev.Kind == executor.EventProgress {
		l.progress = ev.Progress
		if l.record.State == schema.Running { // of what is seen to run it is seen at once
			l.record.Progress = ev.Progress
		}
	}
	l.store.publish(l.record, ev)
	return nil
}

// Write implements executor.Lease.
func (l *lease) Write(stream schema.Stream, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxPiece)
		if err := l.write(stream, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (l *lease) write(stream schema.Stream, p []byte) error {
	s, r := l.store, l.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	offset := s.wrote(r, stream, p)
	s.publish(r, executor.Event{Kind: executor.EventOutput, Stream: stream, Offset: offset, End: offset + int64(len(p))})
	return nil
}

// Release implements executor.Lease.
func (l *lease) Release() {
	if !l.limited {
		return
	}
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims.Release(l.claimed.Type)
}

package sqlite

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	kit.Revocation
	store   *Store
	member  *kit.Member // that has claimed it
	record  *record
	planned *plan.Task // nil of a task that the planner did not have
	// claimed is the task as it will be seen when the start is recorded.
	claimed  executor.Record
	progress *schema.Progress
	// finishing is set when the end is in the log; ends is the latest
	// transaction that writes it.
	finishing     bool
	retrying      bool // the end in the log is of the attempt alone
	ends          *transaction
	cancelPending bool // a request to cancel it could not be recorded yet, and is kept
}

// Record implements executor.Lease.
func (l *lease) Record() *executor.Record { return &l.claimed }

// lost reports whether the lease is no longer valid. It needs the lock.
func (l *lease) lost() bool { return l.record.lease != l || l.finishing || l.store.closed }

// lostBy says why the lease is no longer valid, or nil. It needs the lock.
func (l *lease) lostBy() error {
	switch {
	case l.store.closed:
		return executor.ErrClosed
	case l.lost():
		return executor.ErrLeaseLost
	}
	return nil
}

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
		if l.record.State == schema.Running { // a task visible as running shows it at once
			l.record.Progress = ev.Progress
		}
	}
	l.store.publish(l.record, ev)
	return nil
}

// Write implements executor.Lease.
func (l *lease) Write(stream schema.Stream, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), executor.MaxOutputPiece)
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
	if !l.member.Limited(l.claimed.Type) && l.planned == nil {
		return
	}
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims.Release(l.member, l.claimed.Type)
	if t := l.planned; t != nil {
		s.planned.Release(t, schema.Now())
		s.planned.Settle(schema.Now())
	}
}

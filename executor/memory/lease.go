package memory

import (
	"context"
	"errors"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	store    *Store
	record   *record
	limited  bool // counts in Store.held
	onRevoke func(error)
	revoked  error // came before there was an onRevoke
}

// Claim implements executor.Store.
func (s *Store) Claim(ctx context.Context, limits executor.TypeLimits) (executor.Lease, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, executor.ErrClosed
		}
		if ctx.Err() != nil {
			s.wake(1) // it may have been woken for a task, which another must take now
			s.mu.Unlock()
			return nil, context.Cause(ctx)
		}
		if l := s.take(limits); l != nil {
			s.mu.Unlock()
			return l, nil
		}
		free := make(chan struct{}, 1)
		s.idle = append(s.idle, free)
		s.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			s.leave(free)
			return nil, context.Cause(ctx)
		}
	}
}

// take makes the best task that may run Running; it needs the lock.
func (s *Store) take(limits executor.TypeLimits) *lease {
	if len(limits) > 0 && len(s.limits) == 0 {
		s.separate(limits)
	}
	e := s.queue.Next(func(typ string) bool { return s.held[typ] >= limits[typ] })
	if e == nil {
		return nil
	}
	s.queue.Remove(e)
	r := e.Value
	r.State = schema.Running
	r.Attempt++
	r.StartedAt = max(schema.Now(), r.CreatedAt)
	s.running.Push(&r.entry)
	s.counts.Queued--
	s.counts.Running++
	r.lease = &lease{store: s, record: r}
	if _, r.lease.limited = limits[r.Type]; r.lease.limited {
		s.held[r.Type]++
	}
	return r.lease
}

// separate gives the types with a limit their own places in the queue. A
// process has one set of types, so the first claim says it for all.
func (s *Store) separate(limits executor.TypeLimits) {
	s.limits = limits
	for typ := range limits {
		s.queue.Separate(typ, func(r *record) bool { return r.Type == typ })
	}
}

// wake lets up to n waiting claimers look again; it needs the lock.
func (s *Store) wake(n int) {
	for ; n > 0 && len(s.idle) > 0; n-- {
		last := len(s.idle) - 1
		s.idle[last] <- struct{}{}
		s.idle = s.idle[:last]
	}
}

// leave gives up waiting, and hands on a wake that came at the same time.
func (s *Store) leave(free chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.idle, free)
	if i < 0 {
		s.wake(1)
		return
	}
	s.idle = slices.Delete(s.idle, i, i+1)
}

// Record implements executor.Lease. What a store changes in the record while
// it runs is not in what the worker reads: type, input, id, attempt and the
// bounds stay.
func (l *lease) Record() *executor.Record { return &l.record.Record }

// OnRevoke implements executor.Lease.
func (l *lease) OnRevoke(f func(error)) {
	l.store.mu.Lock()
	l.onRevoke = f
	missed := l.revoked
	l.store.mu.Unlock()
	if missed != nil {
		f(missed)
	}
}

func (l *lease) revoke(cause error) {
	l.store.mu.Lock()
	f := l.onRevoke
	if f == nil {
		l.revoked = sooner(l.revoked, cause)
	}
	l.store.mu.Unlock()
	if f != nil {
		f(cause)
	}
}

// sooner joins two causes: the first counts, and Force where either has it.
func sooner(first, second error) error {
	c, ok := errors.AsType[*executor.Cancellation](first)
	if again, is := errors.AsType[*executor.Cancellation](second); ok && is {
		return &executor.Cancellation{Reason: c.Reason, Force: c.Force || again.Force}
	}
	return second
}

// lost needs the lock.
func (l *lease) lost() bool { return l.record.lease != l }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	s, r := l.store, l.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	r.seq = s.feed.Publish(r.Owner, r.Events, executor.Event{
		ID: r.ID, Kind: executor.EventStarted, Attempt: r.Attempt, StartedAt: r.StartedAt, PID: pid, Task: &r.Task,
	})
	return nil
}

// Progress implements executor.Lease.
func (l *lease) Progress(p schema.Progress) error {
	s, r := l.store, l.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	r.Progress = &p
	r.seq = s.feed.Publish(r.Owner, r.Events, executor.Event{ID: r.ID, Kind: executor.EventProgress, Progress: &p, Task: &r.Task})
	return nil
}

// Write implements executor.Lease.
func (l *lease) Write(stream schema.Stream, p []byte) error {
	const piece = 32 << 10 // so that every piece a reader is sent has a number of its own
	s, r := l.store, l.record
	for len(p) > 0 {
		n := min(len(p), piece)
		s.mu.Lock()
		if l.lost() {
			s.mu.Unlock()
			return executor.ErrLeaseLost
		}
		if r.out == nil {
			r.out = new(outputs)
		}
		ring := &r.out[stream]
		offset := ring.total
		ring.write(p[:n], s.options.MaxOutput)
		r.seq = s.feed.Publish(r.Owner, r.Events, executor.Event{
			ID: r.ID, Kind: executor.EventOutput, Stream: stream, Offset: offset, End: ring.total, Task: &r.Task,
		})
		s.mu.Unlock()
		p = p[n:]
	}
	return nil
}

// Finish implements executor.Lease.
func (l *lease) Finish(o executor.Outcome, recorded func(error)) { recorded(l.finish(o)) }

func (l *lease) finish(o executor.Outcome) error {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	s.running.Remove(&l.record.entry)
	s.counts.Running--
	now := schema.Now()
	s.finish(l.record, o, now)
	s.sweep(now)
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
	s.held[l.record.Type]--
	s.wake(1)
}

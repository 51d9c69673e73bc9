package memory

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	kit.Revocation
	store   *Store
	record  *record
	limited bool // its type has a limit, so that it must be released
	shown   kit.Shown
}

// Claim implements executor.Store.
func (s *Store) Claim(ctx context.Context, limits executor.TypeLimits) (executor.Lease, error) {
	var taken *lease
	err := s.claims.Claim(ctx, &s.mu, func() (bool, error) {
		if s.closed {
			return false, executor.ErrClosed
		}
		taken = s.take(limits)
		return taken != nil, nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// take makes the best task that may run Running; it needs the lock.
func (s *Store) take(limits executor.TypeLimits) *lease {
	e := s.claims.Take(limits, func(r *record) string { return r.Type })
	if e == nil {
		return nil
	}
	r := e.Value
	r.State = schema.Running
	r.Attempt++
	r.StartedAt = max(schema.Now(), r.CreatedAt)
	s.running.Push(&r.entry)
	s.counts.Queued--
	s.counts.Running++
	r.lease = &lease{store: s, record: r, limited: s.claims.Limited(r.Type)}
	return r.lease
}

// Record implements executor.Lease. What a store changes in the record while
// it runs is not in what the worker reads: type, input, id, attempt and the
// bounds stay.
func (l *lease) Record() *executor.Record { return &l.record.Record }

// live is the task as events before its end show it; it needs the lock.
func (l *lease) live() *schema.Task { return l.shown.Live(&l.record.Task) }

// lost needs the lock.
func (l *lease) lost() bool { return l.record.lease != l || l.store.closed }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	s, r := l.store, l.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	r.seq = s.feed.PublishOf(r.Owner, r.Events, executor.Event{
		ID: r.ID, Kind: executor.EventStarted, Attempt: r.Attempt, StartedAt: r.StartedAt, PID: pid,
	}, l.live)
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
	s.feed.PublishOf(r.Owner, r.Events, executor.Event{ID: r.ID, Kind: executor.EventProgress, Progress: &p}, l.live)
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
			r.out = new(kit.Streams)
		}
		ring := &r.out[stream]
		offset := ring.Total()
		ring.Write(p[:n], s.options.MaxOutput)
		s.feed.PublishOf(r.Owner, r.Events, executor.Event{
			ID: r.ID, Kind: executor.EventOutput, Stream: stream, Offset: offset, End: ring.Total(),
		}, l.live)
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
	if s.closed {
		return executor.ErrClosed
	}
	if l.lost() {
		return executor.ErrLeaseLost
	}
	s.running.Remove(&l.record.entry)
	s.counts.Running--
	now := schema.Now()
	s.finish(l.record, o, now)
	s.sweepSoon(now)
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
	s.claims.Release(l.record.Type)
}

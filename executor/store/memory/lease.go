package memory

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	kit.Revocation
	claimer *claimer
	record  *record
	shown   kit.Shown
}

// Record implements executor.Lease. What a store changes in the record while
// it runs is not in what the worker reads: type, input, id, attempt and the
// bounds stay.
func (l *lease) Record() *executor.Record { return &l.record.Record }

// live is the task as events before its end show it; it needs the lock.
func (l *lease) live() *schema.Task { return l.shown.Live(&l.record.Task) }

// lost needs the lock.
func (l *lease) lost() bool { return l.record.lease != l || l.claimer.store.closed }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	s, r := l.claimer.store, l.record
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
	s, r := l.claimer.store, l.record
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
	s, r := l.claimer.store, l.record
	for len(p) > 0 {
		n := min(len(p), executor.MaxOutputPiece)
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
	s := l.claimer.store
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
	m := l.claimer.member
	if !m.Limited(l.record.Type) {
		return
	}
	s := l.claimer.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims.Release(m, l.record.Type)
}

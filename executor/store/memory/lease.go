package memory

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// lease implements executor.Lease. The store's lock protects it.
type lease struct {
	life // the life of the task's record
	kit.Revocation
	claimer *claimer
	as      *schema.RunsOn   // the process that holds it, or nil in a store of one process
	entry   *entry           // nil when the task is final
	record  *executor.Record // a copy of its own, because queued events point to it
	shown   kit.Shown
}

// Record implements executor.Lease.
func (l *lease) Record() *executor.Record { return l.record }

// live is the task as the events before its end show it. The caller holds mu.
func (l *lease) live() *schema.Task { return l.shown.Live(&l.record.Task) }

// publish publishes an event of the task before its end. The caller holds mu.
func (l *lease) publish(ev executor.Event) uint64 {
	r := &l.entry.Value
	ev.ID = r.id
	return l.claimer.store.feed.PublishOf(r.terms.owner, r.terms.events, ev, l.live)
}

// lost reports whether the lease has no task any more. The caller holds mu.
func (l *lease) lost() bool { return l.entry == nil || l.claimer.store.closed }

// Started implements executor.Lease.
func (l *lease) Started(pid int) error {
	s := l.claimer.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	l.seq = l.publish(executor.Event{
		Kind: executor.EventStarted, Attempt: l.record.Attempt, StartedAt: l.record.StartedAt, PID: pid,
	})
	s.trees.Began(l.entry.Value.id)
	return nil
}

// Progress implements executor.Lease.
func (l *lease) Progress(p schema.Progress) error {
	s := l.claimer.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lost() {
		return executor.ErrLeaseLost
	}
	l.entry.Value.withExtra().progress = &p
	s.trees.Progressed(l.entry.Value.id, &p)
	l.publish(executor.Event{Kind: executor.EventProgress, Progress: &p})
	return nil
}

// Write implements executor.Lease.
func (l *lease) Write(stream schema.Stream, p []byte) error {
	s := l.claimer.store
	for len(p) > 0 {
		n := min(len(p), executor.MaxOutputPiece)
		s.mu.Lock()
		if l.lost() {
			s.mu.Unlock()
			return executor.ErrLeaseLost
		}
		x := l.entry.Value.withExtra()
		if x.out == nil {
			x.out = new(kit.Streams)
		}
		ring := &x.out[stream]
		offset := ring.Total()
		ring.Write(p[:n], s.options.MaxOutput)
		l.publish(executor.Event{Kind: executor.EventOutput, Stream: stream, Offset: offset, End: ring.Total()})
		s.mu.Unlock()
		p = p[n:]
	}
	return nil
}

// Finish implements executor.Lease.
func (l *lease) Finish(o executor.Outcome, recorded func(error)) {
	s := l.claimer.store
	s.mu.Lock()
	err := l.finish(o, s.now())
	s.mu.Unlock()
	recorded(err)
}

// finish makes the task final. The caller holds mu.
func (l *lease) finish(o executor.Outcome, now schema.Time) error {
	s := l.claimer.store
	if s.closed {
		return executor.ErrClosed
	}
	if l.lost() {
		return executor.ErrLeaseLost
	}
	s.running.Remove(l.entry)
	s.counts.Running--
	s.finish(l.entry, o, now)
	s.planned.Settle(now)
	s.sweepSoon(now)
	return nil
}

// Retry implements executor.Lease.
func (l *lease) Retry(a *executor.NextAttempt, recorded func(error)) {
	s := l.claimer.store
	s.mu.Lock()
	err := l.retry(a, s.now())
	s.mu.Unlock()
	recorded(err)
}

// retry queues the task again. The caller holds mu.
func (l *lease) retry(a *executor.NextAttempt, now schema.Time) error {
	s := l.claimer.store
	if s.closed {
		return executor.ErrClosed
	}
	if l.lost() {
		return executor.ErrLeaseLost
	}
	e := l.entry
	r := &e.Value
	x := r.withExtra()
	if !x.cancelled.IsZero() {
		if err := l.finish((&executor.Cancellation{Reason: x.cancelReason}).Outcome(), now); err != nil {
			return err
		}
		return executor.ErrCancelRequested
	}
	var written *schema.OutputBytes
	if x.out != nil {
		written = x.out.Bytes()
	}
	s.feed.PublishOf(r.terms.owner, r.terms.events, kit.Retrying(l.record, a, nil), l.live)
	again := *l.record
	again.RunsOn = l.as
	again.History = kit.Followed(&again, a, written, now)
	x.progress, x.history = nil, again.History
	next, ran := l.link, &link{task: l.link.planned()}
	if next == nil {
		next = new(link)
	}
	next.task = new(kit.NewTask(&again))
	next.task.Order, next.task.Value = e.Order(), e
	s.running.Remove(e)
	s.counts.Running--
	s.counts.Queued++
	r.state, r.life = schema.Queued, &life{extra: x, link: next}
	s.trees.Again(r.id)
	s.trees.Move(r.conditions(), r.id, schema.Queued)
	l.entry, l.life = nil, life{link: ran}
	s.planned.Submit(next.task, now, nil)
	s.planned.Settle(now)
	return nil
}

// Release implements executor.Lease.
func (l *lease) Release() {
	s := l.claimer.store
	s.mu.Lock()
	defer s.mu.Unlock()
	l.release(s.now())
}

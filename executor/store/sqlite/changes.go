package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// entry is a change in the log. The committer calls write for all entries that
// it has taken, then apply for all when the transaction is on disk, or fail
// for all when it is not, and for all behind them; then done for all that are
// over. So an entry may build on those before it.
type entry interface {
	// weight is about how many rows and bytes it writes.
	weight() (rows, bytes int)
	// write does its part of the transaction.
	write(t *transaction) error
	// apply makes the change visible. It has the store's lock.
	apply(s *Store)
	// fail takes the change back, and answers nil, or answers what is to be
	// tried again in its place. It has the store's lock.
	fail(s *Store, err error) (again entry)
	// done tells those who wait. It has no lock.
	done()
}

// append adds to the log; it needs the lock.
func (s *Store) append(e entry) {
	s.entries = append(s.entries, e)
	s.notify()
}

// await waits until an entry is over. It stays in the log where ctx ends before.
func (s *Store) await(ctx context.Context, ready <-chan struct{}, cure string) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return s.unavailable(fmt.Errorf("whether it was recorded is not known; %s: %w", cure, context.Cause(ctx)))
	}
}

// withdraw takes an entry out of the log on which nothing behind it builds, as a submission,
// whose tasks are not seen yet: what is given up must not pile up while a disk
// stalls. It reports false where the committer has it.
func (s *Store) withdraw(e entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.entries, e)
	if at >= 0 {
		s.entries = slices.Delete(s.entries, at, at+1)
	}
	return at >= 0
}

// takeBack fails entries, and puts into the log what is to be tried again. It
// answers those that are over. It needs the lock.
func (s *Store) takeBack(entries []entry, err error) (over []entry) {
	for _, e := range entries {
		kept := e.fail(s, err)
		if kept != nil {
			s.entries = append(s.entries, kept)
		}
		if kept != e {
			over = append(over, e)
		}
	}
	return over
}

// requeue puts tasks back into the queue that were taken out in vain; it needs
// the lock.
func (s *Store) requeue() {
	c := &s.committer
	entries := make([]*kit.Entry[*record], len(c.returned))
	for i, r := range c.returned {
		entries[i] = &r.entry
	}
	s.claims.Return(entries, func(r *record) (string, int8) { return r.Type, r.Priority })
	c.returned = nil
}

// publish hands out an event behind all changes in the log; it needs the lock.
// While nothing can be written, what runs is still heard of.
func (s *Store) publish(r *record, ev executor.Event) {
	ev.ID, ev.Task = r.ID, r.shown.Live(&r.Task)
	direct := len(s.entries) == 0 && s.feed.Seq() < s.reserved-reserve/4 || s.fault != nil && r.State == schema.Running
	if direct && !s.inFlight {
		s.publishNow(r, ev)
		return
	}
	ev.Seq = unnumbered
	s.feed.Keeps(&ev)
	if n := len(s.entries); n > 0 {
		if last, ok := s.entries[n-1].(*events); ok {
			last.held.Add(&ev)
			return
		}
	}
	next := new(events)
	next.held.Add(&ev)
	s.append(next)
}

// unnumbered is the number of an event that has none yet.
const unnumbered = 1

// publishNow makes an event known of a task that is seen to run; it needs the lock.
func (s *Store) publishNow(r *record, ev executor.Event) {
	if ev.Kind == executor.EventProgress && r.lease != nil {
		r.Progress = r.lease.progress // there may be a newer one, which is in the log
	}
	if s.feed.Seq() >= s.reserved { // the file has yet to say so; only where it cannot be written
		return
	}
	if seq := s.feed.Publish(r.Owner, r.Events, ev); ev.Kind == executor.EventStarted {
		r.seq = seq
	}
}

// events are events that are not recorded, in their place among the changes.
type events struct{ held kit.Held }

func (h *events) weight() (int, int) { return 0, 0 }

func (h *events) write(t *transaction) error { return t.number(uint64(len(h.held.Events()))) }

func (h *events) apply(s *Store) {
	for _, ev := range h.held.Events() {
		if r := s.live[ev.ID]; r != nil {
			s.publishNow(r, ev)
		}
	}
}

// fail makes known what is of tasks that are seen to run.
func (h *events) fail(s *Store, _ error) entry {
	later := new(events)
	for _, ev := range h.held.Events() {
		switch r := s.live[ev.ID]; {
		case r == nil:
		case r.State == schema.Running:
			s.publishNow(r, ev)
		default:
			later.held.Add(&ev)
		}
	}
	if len(later.held.Events()) == 0 {
		return nil
	}
	return later
}

func (h *events) done() {}

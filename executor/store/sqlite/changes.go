package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// entry is a change in the log. The committer takes a batch of entries and calls
// write for each. If the transaction reaches the disk, it calls apply for each.
// Otherwise it calls fail for each, and for all later entries in the log. Last, it
// calls done for those that are over. So an entry may build on earlier ones.
type entry interface {
	// weight is about how many rows and bytes it writes.
	weight() (rows, bytes int)
	// write does its part of the transaction.
	write(t *transaction) error
	// apply makes the change visible. It has the store's lock.
	apply(s *Store)
	// fail undoes the change. It answers the entry to try again in its place, or
	// nil. It has the store's lock.
	fail(s *Store, err error) (again entry)
	// done tells those who wait. It has no lock.
	done()
}

// companyDelay is how long an entry waits for others, so that they share a transaction: the
// start of a task that has begun already, an end while another task may run next, and events
// behind these.
const companyDelay = 2 * time.Millisecond

// append adds to the log; it needs the lock.
func (s *Store) append(e entry) {
	s.entries = append(s.entries, e)
	switch {
	case !s.mayWait(e) || len(s.entries) >= maxRows || s.options.companyDelay < 0:
		s.pressing = true
		s.notify()
	case !s.pressing && len(s.entries) == 1:
		s.company.Reset(s.options.companyDelay)
	}
}

// mayWait reports whether the last entry may wait for companyDelay. It needs the lock.
func (s *Store) mayWait(e entry) bool {
	switch e := e.(type) {
	case *start:
		return e.ready == nil
	case *finish:
		return s.claims.ReadyAfter(e.lease.member, e.lease.claimed.Type)
	case *events:
		return len(s.entries) > 1
	}
	return false
}

// alone is called when the first entry of the log has waited for companyDelay.
func (s *Store) alone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) > 0 {
		s.pressing = true
		s.notify()
	}
}

// await waits until an entry is over. If ctx ends first, the entry stays in the log.
func (s *Store) await(ctx context.Context, ready <-chan struct{}, cure string) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return s.unavailable(fmt.Errorf("%w; %s: %w", executor.ErrOutcomeUnknown, cure, context.Cause(ctx)))
	}
}

// withdraw removes an entry that was given up from the log, so that such entries do not
// pile up while a disk stalls. No later entry may build on it; a submission qualifies,
// because its tasks are not visible yet. It reports false if the committer has the entry.
func (s *Store) withdraw(e entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.entries, e)
	if at >= 0 {
		s.entries = slices.Delete(s.entries, at, at+1)
	}
	return at >= 0
}

// takeBack calls fail for the entries, and puts those to try again into the log.
// It answers the entries that are over. It needs the lock.
func (s *Store) takeBack(entries []entry, err error) (over []entry) {
	for _, e := range entries {
		kept := e.fail(s, err)
		if kept != nil {
			s.entries = append(s.entries, kept)
			s.pressing = true
		}
		if kept != e {
			over = append(over, e)
		}
	}
	return over
}

// requeue puts tasks back into the queue whose removal from it failed. It needs
// the lock.
func (s *Store) requeue() {
	c := &s.committer
	c.returned = slices.DeleteFunc(c.returned, func(r *record) bool { return r.planned != nil && s.replace(r) })
	for _, r := range s.claims.Return(c.returned) {
		delete(s.live, r.ID)
	}
	c.returned = nil
}

// publish publishes an event after all changes that are in the log. It needs the
// lock. Events of running tasks are published even while nothing can be written.
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

// publishNow publishes an event if its task is visible as running. It needs the lock.
func (s *Store) publishNow(r *record, ev executor.Event) {
	if ev.Kind == executor.EventProgress && r.lease != nil && r.lease.progress != nil {
		r.Progress = r.lease.progress // the lease may have a newer one, which is still in the log
		s.trees.Progressed(r.ID, r.Progress)
	}
	if s.feed.Seq() >= s.reserved { // no number is reserved; this happens only if the file cannot be written
		return
	}
	if seq := s.feed.Publish(r.Owner, r.Events, ev); ev.Kind == executor.EventStarted {
		r.seq = seq
		s.trees.Began(r.ID)
	}
}

// events is an entry of events that are not recorded. It keeps their order among the
// changes.
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

// fail publishes the events of tasks that are visible as running.
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

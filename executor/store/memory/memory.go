// Package memory is a Store in the memory of the process: fast, bounded by
// retention, and gone when the process ends.
package memory

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// The defaults of Options.
const (
	DefaultKeep      = 10_000
	DefaultKeepFor   = 24 * time.Hour
	DefaultKeepBytes = 64 << 20
	DefaultKeepIDs   = 100_000
	DefaultMaxQueued = 1_000_000
	DefaultMaxOutput = 1 << 20
)

// listScan is the most records that one page of a list looks at, so that a
// rare selection among many records holds the lock for well under a
// millisecond. A page that meets it is short and has a cursor.
const listScan = 20_000

// Options bounds a Store. A zero is the default.
type Options struct {
	// Finished tasks are kept while there are at most Keep of them, for at
	// most KeepFor, and while their inputs, results and outputs have at most
	// KeepBytes together; the oldest go first, and the newest is kept however
	// large it is. A negative Keep keeps none.
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	// KeepIDs is how many ids of tasks that are no longer kept are remembered, the
	// newest, so that none runs again: at least half as many, and about 30 bytes
	// of memory each. A negative one remembers none.
	KeepIDs int
	// MaxQueued bounds the tasks that wait to run.
	MaxQueued int
	// MaxOutput bounds what is kept of each stream of a task, in bytes.
	MaxOutput int
}

// Store implements executor.Store. Make one with New.
type Store struct {
	options Options
	feed    kit.Feed
	terms   termsTable

	mu       sync.Mutex // protects what follows, and every record
	closed   bool
	records  index
	timeline timeline
	claims   kit.Claims[record]
	running  kit.FIFO[record]
	finished ends
	kept     int64  // bytes of input, result and output of those
	ids      ids    // of records that were evicted
	gone     uint64 // the last event of the latest record that was evicted
	counts   executor.Counts
}

// New makes an empty store.
func New(o Options) *Store {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	o.KeepFor = cmp.Or(o.KeepFor, DefaultKeepFor)
	o.KeepBytes = cmp.Or(o.KeepBytes, DefaultKeepBytes)
	o.KeepIDs = cmp.Or(o.KeepIDs, DefaultKeepIDs)
	o.MaxQueued = cmp.Or(o.MaxQueued, DefaultMaxQueued)
	o.MaxOutput = cmp.Or(o.MaxOutput, DefaultMaxOutput)
	return &Store{options: o, ids: ids{limit: max(o.KeepIDs, 0)}}
}

// Info implements executor.Store.
func (s *Store) Info() executor.StoreInfo {
	return executor.StoreInfo{Name: "memory", Limits: executor.StoreLimits{
		QueuedTasks: s.options.MaxQueued, OutputBytes: s.options.MaxOutput,
		KeepTasks: max(s.options.Keep, 0), KeepFor: s.options.KeepFor, KeepBytes: s.options.KeepBytes, KeepIDs: max(s.options.KeepIDs, 0),
	}}
}

// Close implements executor.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.claims.WakeAll()
	s.feed.Close()
	return nil
}

// Submit implements executor.Store.
func (s *Store) Submit(_ context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	answers := make([]executor.Submitted, len(submissions))
	fresh := make([]*entry, len(submissions))
	for i := range submissions { // what can be done before the lock is taken
		fresh[i] = s.newEntry(&submissions[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	s.sweep(schema.Now())
	added := 0
	for i, e := range fresh {
		asked := &submissions[i]
		if known := s.records.get(asked.ID); known != nil {
			answers[i] = answerKnown(&known.Value, asked)
		} else if !asked.NewID && s.ids.has(asked.ID) {
			answers[i].Err = executor.ErrTaskGone
		} else if s.claims.Len() >= s.options.MaxQueued {
			answers[i].Err = executor.ErrQueueFull
		} else {
			s.add(e)
			added++
		}
	}
	s.claims.Wake(added)
	return answers, nil
}

func answerKnown(known *record, asked *executor.Submission) executor.Submitted {
	record := known.full()
	if !record.Same(asked.Type, asked.Input) {
		return executor.Submitted{Err: executor.ErrIDConflict}
	}
	return executor.Submitted{Existing: true, Task: &record.Task}
}

func (s *Store) add(e *entry) {
	s.claims.Push(e, e.Value.terms.typ, e.Value.priority)
	s.records.add(e)
	s.timeline.add(e)
	s.counts.Queued++
}

// Get implements executor.Store.
func (s *Store) Get(_ context.Context, id uuid.UUID) (executor.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Record{}, executor.ErrClosed
	}
	s.sweep(schema.Now())
	e := s.records.get(id)
	if e == nil {
		return executor.Record{}, executor.ErrNotFound
	}
	return e.Value.full(), nil
}

// List implements executor.Store.
func (s *Store) List(_ context.Context, filter executor.Filter, page executor.PageRequest) (executor.Page, error) {
	cursor, err := kit.ParseCursor(&page)
	if err != nil {
		return executor.Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Page{}, executor.ErrClosed
	}
	s.sweep(schema.Now())
	var found executor.Page
	scanned := 0
	visit := func(e *entry) bool {
		if len(found.Tasks) == page.Limit || scanned == listScan {
			found.Next = kit.FormatCursor(&page, cursor)
			return false
		}
		scanned++
		cursor = e.Order()
		if e.Value.matches(&filter) {
			t := e.Value.task()
			t.Input = nil
			found.Tasks = append(found.Tasks, t)
		}
		return true
	}
	if page.Oldest {
		s.timeline.upward(cursor, visit)
	} else {
		s.timeline.downward(cursor, visit)
	}
	return found, nil
}

// Cancel implements executor.Store.
func (s *Store) Cancel(_ context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	answers := make([]executor.CancelAnswer, len(ids))
	var running []*lease
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, executor.ErrClosed
	}
	now := schema.Now()
	for i, id := range ids {
		e := s.records.get(id)
		if e == nil {
			answers[i].Err = executor.ErrNotFound
			continue
		}
		if answers[i].Outcome = s.cancel(e, c, now); answers[i].Outcome == schema.OutcomeCancelling {
			running = append(running, e.Value.life.lease)
		}
		answers[i].Task = e.Value.task()
	}
	s.sweep(now)
	s.mu.Unlock()
	for _, l := range running { // without the lock, because Revoke may call back
		l.Revoke(&c)
	}
	return answers, nil
}

func (s *Store) cancel(e *entry, c executor.Cancellation, now schema.Time) schema.CancelOutcome {
	r := &e.Value
	if r.state.Final() {
		return schema.OutcomeAlreadyFinished
	}
	if x := r.withExtra(); x.cancelled.IsZero() {
		x.cancelled, x.cancelReason = max(now, r.created), c.Reason
	}
	if r.state == schema.Running {
		return schema.OutcomeCancelling
	}
	s.claims.Remove(e)
	s.counts.Queued--
	s.finish(e, c.Outcome(), now)
	return schema.OutcomeCancelled
}

// finish makes a record final that is in no list.
func (s *Store) finish(e *entry, o executor.Outcome, now schema.Time) {
	r, l := &e.Value, e.Value.withLife()
	claimed := l.lease
	r.state, l.lease, l.result = o.State, nil, textOf(o.Result)
	l.finished = kit.EndTime(now, l.started, r.created)
	if o.Error != nil {
		r.withExtra().err = o.Error
	}
	*s.counts.Of(o.State)++
	s.kept += r.size()
	l.seq = s.feed.PublishOf(r.terms.owner, r.terms.events, executor.Event{ID: r.id, Kind: executor.EventFinished},
		func() *schema.Task { return r.endOf(claimed) })
	s.finished.push(e)
}

// sweep forgets the finished tasks that retention does not keep. Methods that must
// not show such tasks call it first.
func (s *Store) sweep(now schema.Time) {
	for s.tooMany(s.options.Keep, now) {
		s.forget(s.finished.pop())
	}
}

// sweepSoon is sweep for the end of a task. It may leave a few tasks too many, so that
// tasks are forgotten many at a time. That is faster, because these tasks left the
// processor's cache long ago.
func (s *Store) sweepSoon(now schema.Time) {
	if s.tooMany(s.options.Keep+min(s.options.Keep/32, sweepMost), now) {
		s.sweep(now)
	}
}

// sweepMost is the most finished tasks beyond Options.Keep that sweepSoon leaves.
const sweepMost = 256

// tooMany reports whether the oldest finished task must be forgotten if at most keep
// of them are kept.
func (s *Store) tooMany(keep int, now schema.Time) bool {
	n := s.finished.len()
	if n == 0 {
		return false
	}
	fits := s.kept <= s.options.KeepBytes || n == 1 // the newest is kept however large it is
	return n > keep || !fits || s.finished.oldest().Value.life.ended < now-schema.Time(s.options.KeepFor.Microseconds())
}

// forget drops a finished task, except its id.
func (s *Store) forget(e *entry) {
	r := &e.Value
	s.timeline.remove(e)
	s.records.remove(e)
	s.ids.add(r.id)
	s.kept -= r.size()
	s.gone = max(s.gone, r.life.seq)
	s.counts.Evicted++
	*s.counts.Of(r.state)--
}

// Counts implements executor.Store.
func (s *Store) Counts(context.Context) (executor.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Counts{}, executor.ErrClosed
	}
	s.sweep(schema.Now())
	return s.counts, nil
}

// Watch implements executor.Store.
func (s *Store) Watch(context.Context) (executor.Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return s.feed.Watch(), nil
}

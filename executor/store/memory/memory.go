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

	mu       sync.Mutex // protects what follows, and every record
	closed   bool
	records  index
	timeline timeline
	claims   kit.Claims[*record]
	running  kit.FIFO[*record]
	finished ends
	kept     int64  // bytes of input, result and output of those
	ids      ids    // of records that were evicted
	gone     uint64 // the last event of the latest record that was evicted
	counts   executor.Counts
}

// record is what the store holds of a task. Once the task is final, the
// embedded Submission does not change any more.
type record struct {
	executor.Submission
	seq   uint64 // of its start or, once it is final, of its end; 0 is before both
	entry kit.Entry[*record]
	out   *kit.Streams
	lease *lease      // of the attempt that runs
	ended schema.Time // by when it had ended, as retention counts
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
	fresh := make([]*record, len(submissions))
	for i := range submissions { // what can be done before the lock is taken
		fresh[i] = newRecord(&submissions[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	s.sweep(schema.Now())
	added := 0
	for i, r := range fresh {
		if known := s.records.get(r.ID); known != nil {
			answers[i] = s.answerKnown(known, r)
		} else if !r.NewID && s.ids.has(r.ID) {
			answers[i].Err = executor.ErrTaskGone
		} else if s.claims.Len() >= s.options.MaxQueued {
			answers[i].Err = executor.ErrQueueFull
		} else {
			s.add(r)
			added++
		}
	}
	s.claims.Wake(added)
	return answers, nil
}

func newRecord(from *executor.Submission) *record {
	r := &record{Submission: *from}
	r.entry.Value = r
	return r
}

func (s *Store) answerKnown(known, asked *record) executor.Submitted {
	if !known.Same(asked.Type, asked.Input) {
		return executor.Submitted{Err: executor.ErrIDConflict}
	}
	task := known.snapshot()
	return executor.Submitted{Existing: true, Task: &task}
}

func (s *Store) add(r *record) {
	s.claims.Push(&r.entry, r.Type, r.Priority)
	s.records.add(r)
	s.timeline.add(r)
	s.counts.Queued++
}

// snapshot is the task as it is now, with its input.
func (r *record) snapshot() schema.Task {
	t := r.Task
	if !t.State.Final() {
		t.OutputBytes = r.written()
	}
	return t
}

// written counts the output; nil is none.
func (r *record) written() *schema.OutputBytes {
	if r.out == nil {
		return nil
	}
	return r.out.Bytes()
}

// Get implements executor.Store.
func (s *Store) Get(_ context.Context, id uuid.UUID) (executor.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Record{}, executor.ErrClosed
	}
	s.sweep(schema.Now())
	r := s.records.get(id)
	if r == nil {
		return executor.Record{}, executor.ErrNotFound
	}
	found := r.Record
	found.Task = r.snapshot()
	return found, nil
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
	visit := func(r *record) bool {
		if len(found.Tasks) == page.Limit || scanned == listScan {
			found.Next = kit.FormatCursor(&page, cursor)
			return false
		}
		scanned++
		cursor = r.entry.Order()
		if filter.Match(&r.Task) {
			t := r.snapshot()
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
		r := s.records.get(id)
		if r == nil {
			answers[i].Err = executor.ErrNotFound
			continue
		}
		if answers[i].Outcome = s.cancel(r, c, now); answers[i].Outcome == schema.OutcomeCancelling {
			running = append(running, r.lease)
		}
		answers[i].Task = r.snapshot()
	}
	s.sweep(now)
	s.mu.Unlock()
	for _, l := range running { // without the lock: what is told may call back
		l.Revoke(&c)
	}
	return answers, nil
}

func (s *Store) cancel(r *record, c executor.Cancellation, now schema.Time) schema.CancelOutcome {
	if r.State.Final() {
		return schema.OutcomeAlreadyFinished
	}
	if r.CancelRequestedAt.IsZero() {
		r.CancelRequestedAt, r.CancelReason = max(now, r.CreatedAt), c.Reason
	}
	if r.State == schema.Running {
		return schema.OutcomeCancelling
	}
	s.claims.Remove(&r.entry)
	s.counts.Queued--
	s.finish(r, c.Outcome(), now)
	return schema.OutcomeCancelled
}

// finish makes a record final that is in no list.
func (s *Store) finish(r *record, o executor.Outcome, now schema.Time) {
	kit.End(&r.Task, o, r.written(), now)
	r.lease = nil
	*s.counts.Of(o.State)++
	s.kept += r.size()
	r.seq = s.feed.PublishOf(r.Owner, r.Events, executor.Event{ID: r.ID, Kind: executor.EventFinished},
		func() *schema.Task { return kit.ShownEnd(&r.Task) })
	s.finished.push(r)
}

// size is what a record counts towards KeepBytes.
func (r *record) size() int64 {
	if r.out == nil {
		return kit.KeptBytes(&r.Task, 0)
	}
	return kit.KeptBytes(&r.Task, r.out.Kept())
}

// sweep forgets the finished tasks that retention does not keep. Whoever is to see
// none of them calls it first.
func (s *Store) sweep(now schema.Time) {
	for s.tooMany(s.options.Keep, now) {
		s.forget(s.finished.pop())
	}
}

// sweepSoon is sweep for one that ends a task: it may leave a few more than are to
// be kept, so that those that are forgotten are forgotten together. That is faster:
// they have left the processor's cache long ago.
func (s *Store) sweepSoon(now schema.Time) {
	if s.tooMany(s.options.Keep+min(s.options.Keep/32, sweepMost), now) {
		s.sweep(now)
	}
}

// sweepMost is how many more finished tasks than Options.Keep there can be while
// nobody looks.
const sweepMost = 256

// tooMany reports whether the oldest finished task is not to be kept where so many
// are to be.
func (s *Store) tooMany(keep int, now schema.Time) bool {
	n := s.finished.len()
	if n == 0 {
		return false
	}
	fits := s.kept <= s.options.KeepBytes || n == 1 // the newest is kept however large it is
	return n > keep || !fits || s.finished.oldest().ended < now-schema.Time(s.options.KeepFor.Microseconds())
}

// forget drops a finished task but for its id.
func (s *Store) forget(r *record) {
	s.timeline.remove(r)
	s.records.remove(r)
	s.ids.add(r.ID)
	s.kept -= r.size()
	s.gone = max(s.gone, r.seq)
	s.counts.Evicted++
	*s.counts.Of(r.State)--
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

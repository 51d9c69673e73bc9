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
	"github.com/jobline/jobline/executor/plan"
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

// listScan bounds the records that one page of a list looks at, so that a rare selection among many records
// holds the lock for well under a millisecond. A page that reaches the bound is short, and has a cursor.
const listScan = 20_000

// Options bounds a Store. A zero means the default.
type Options struct {
	// Final tasks are kept while there are at most Keep of them, for at most KeepFor, and while their inputs,
	// results and outputs have at most KeepBytes together. The oldest are forgotten first, and the newest is
	// kept however large it is. A negative Keep keeps none.
	Keep      int
	KeepFor   time.Duration
	KeepBytes int64
	// KeepIDs is how many ids of forgotten tasks are remembered, so that none of those tasks runs again: the
	// newest ids, and at least half as many as this. Each costs about 30 bytes of memory. A negative value
	// remembers none.
	KeepIDs int
	// MaxQueued bounds the tasks that wait to run.
	MaxQueued int
	// MaxOutput bounds what is kept of each stream of a task, in bytes.
	MaxOutput int
	// Resources is how much there is of each resource that tasks can need.
	Resources map[string]int64
}

// Store implements executor.Store. Make one with New.
type Store struct {
	options        Options
	feed           *kit.Feed
	feedIsBorrowed bool // feed was given by PublishTo, and is not closed here
	terms          termsTable

	mu            sync.Mutex // protects what follows, and every record
	closed        bool
	records       index // the tasks that are not final
	timeline      timeline
	claims        kit.Claims[record]
	planned       kit.Planned // the tasks with conditions
	schedules     kit.Schedules
	dedupes       kit.Dedupes
	trees         kit.Trees
	progressTimer *time.Timer    // calls publishProgress; nil before the first use
	replaced      []replacement  // by the call that holds mu; for unlockAndRevoke
	descents      []*kit.Descent // as replaced
	before        []kit.Before   // reused by findDependencies
	running       kit.FIFO[record]
	latest        uuid.UUID // the greatest id with NewID
	spare         []*entry  // to be reused; at most spareEntries
	finals        finals
	known         known  // the ids of the finals, and of forgotten tasks
	keptBytes     int64  // bytes of input, result and output of the finals
	lastForgotten uint64 // the seq of the end of the task that was forgotten last
	counts        executor.Counts
	replica       *replicaState // nil if the store is not a Replica
}

// New makes an empty store. The caller closes it.
func New(o Options) *Store {
	o.Keep = cmp.Or(o.Keep, DefaultKeep)
	o.KeepFor = cmp.Or(o.KeepFor, DefaultKeepFor)
	o.KeepBytes = cmp.Or(o.KeepBytes, DefaultKeepBytes)
	o.KeepIDs = cmp.Or(o.KeepIDs, DefaultKeepIDs)
	o.MaxQueued = cmp.Or(o.MaxQueued, DefaultMaxQueued)
	o.MaxOutput = cmp.Or(o.MaxOutput, DefaultMaxOutput)
	s := &Store{options: o, feed: new(kit.Feed), known: known{limit: uint64(max(o.KeepIDs, 0))}}
	s.trees.Changed = s.publishProgressSoon
	s.planned = kit.NewPlanned(o.Resources, s.claims.Wake, s.endPlanned, s.advancePlanner)
	return s
}

// Info implements executor.Store.
func (s *Store) Info() executor.StoreInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return executor.StoreInfo{Name: "memory", Paused: s.planned.Paused(), Resources: s.options.Resources, Limits: executor.StoreLimits{
		QueuedTasks: s.options.MaxQueued, OutputBytes: s.options.MaxOutput,
		KeepTasks: max(s.options.Keep, 0), KeepFor: s.options.KeepFor, KeepBytes: s.options.KeepBytes, KeepIDs: max(s.options.KeepIDs, 0),
	}}
}

// Close implements executor.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.progressTimer != nil {
		s.progressTimer.Stop()
	}
	s.planned.Close()
	s.claims.WakeAll()
	if !s.feedIsBorrowed {
		s.feed.Close()
	}
	return nil
}

// PublishTo publishes all further events to the watchers of another feed. That feed continues the event numbers
// of the store, and its owner closes it. Watchers of the store get no more events.
func (s *Store) PublishTo(feed *kit.Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	feed.SetSeq(s.feed.Seq())
	s.feed, s.feedIsBorrowed = feed, true
}

// Get implements executor.Store.
func (s *Store) Get(_ context.Context, id uuid.UUID) (executor.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Record{}, executor.ErrClosed
	}
	s.sweepBeforeRead()
	p, err := s.findKept(id)
	if err != nil {
		return executor.Record{}, err
	}
	r := s.record(p)
	s.showWaiting(p, &r.Task)
	r.Children = s.trees.Counts(id)
	return r, nil
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
	s.sweepBeforeRead()
	var found executor.Page
	scanned := 0
	visit := func(order uint64, p place) bool {
		if len(found.Tasks) == page.Limit || scanned == listScan {
			found.Next = kit.FormatCursor(&page, cursor)
			return false
		}
		scanned++
		cursor = order
		if s.matches(p, &filter) {
			t := s.task(p)
			t.Input = nil
			s.showWaiting(p, &t)
			found.Tasks = append(found.Tasks, t)
		}
		return true
	}
	switch {
	case filter.Parent != uuid.Nil:
		s.eachChild(filter.Parent, cursor, page.Oldest, visit)
	case page.Oldest:
		s.timeline.upward(cursor, visit)
	default:
		s.timeline.downward(cursor, visit)
	}
	return found, nil
}

// Cancel implements executor.Store.
func (s *Store) Cancel(_ context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	answers := make([]executor.CancelAnswer, len(ids))
	var running []*lease
	var descents []*kit.Descent
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, executor.ErrClosed
	}
	now := s.now()
	for i, id := range ids {
		p, err := s.findKept(id)
		if err != nil {
			answers[i].Err = err
			continue
		}
		if answers[i].Outcome, p = s.cancel(p, c, now); answers[i].Outcome == schema.OutcomeCancelling {
			running = append(running, p.entry.Value.lease())
		}
		answers[i].Task = s.task(p)
		if d := s.trees.Descend(id, c); d != nil {
			descents = append(descents, d)
		}
	}
	s.planned.Settle(now)
	s.sweep(now)
	s.mu.Unlock()
	for _, l := range running { // without the lock, because Revoke may call back
		l.Revoke(&c)
	}
	s.cancelBelow(descents)
	return answers, nil
}

// noteCancel notes the first request to cancel a task.
func (r *record) noteCancel(c executor.Cancellation, now schema.Time) {
	if x := r.withExtra(); x.cancelled.IsZero() {
		x.cancelled, x.cancelReason = max(now, r.created), c.Reason
	}
}

// cancel cancels a queued task, or notes the request for a running one. It answers the outcome, and where the
// task is then.
func (s *Store) cancel(p place, c executor.Cancellation, now schema.Time) (schema.CancelOutcome, place) {
	if p.entry == nil {
		return schema.OutcomeAlreadyFinished, p
	}
	r := &p.entry.Value
	r.noteCancel(c, now)
	if r.state == schema.Running {
		return schema.OutcomeCancelling, p
	}
	if t := r.planned(); t == nil {
		s.claims.Remove(p.entry)
	} else if t.Waits() {
		s.planned.Remove(t)
	}
	s.counts.Queued--
	return schema.OutcomeCancelled, s.finish(p.entry, c.Outcome(), now)
}

// finish makes a task final, and answers where it is then. The task must not be in the queue, nor among the
// running ones.
func (s *Store) finish(e *entry, o executor.Outcome, now schema.Time) place {
	r := &e.Value
	id := r.id
	f := final{order: e.Order(), created: r.created, attempt: r.attempt, state: o.State, priority: r.priority}
	l := r.lease()
	var on *schema.RunsOn
	if l != nil {
		f.started, on = l.record.StartedAt, l.as
	}
	f.finished = kit.EndTime(now, f.started, f.created)
	s.dedupes.End(r.conditions(), id, o.State, f.finished)
	if o.Error != nil {
		r.withExtra().err = o.Error
	}
	f.seq = s.feed.PublishOf(r.terms.owner, r.terms.events, executor.Event{ID: r.id, Kind: executor.EventFinished},
		func() *schema.Task { return r.end(&f, o.Result) })
	number := s.finals.push(f, r.terms, on, rest{input: r.input, result: textOf(o.Result), extra: r.extra(), conditions: r.conditions()})
	s.records.remove(e)
	s.known.add(r.id, number, s.finals.first)
	s.timeline.end(f.order, number)
	s.keptBytes += s.finals.size(number)
	*s.counts.Of(o.State)++
	var node *plan.Node
	if k := r.link(); k != nil {
		node = &k.node
	}
	s.planned.Ended(id, node, o.State)
	s.trees.End(id, o.State)
	if l != nil { // who still holds the lease must not keep the task in memory
		l.entry, l.life = nil, life{link: l.link}
	}
	e.Value = record{}
	if len(s.spare) < spareEntries {
		s.spare = append(s.spare, e)
	}
	return place{number: number}
}

// now is the time of a change: that of the clock, or of the log in a Replica. The caller holds mu.
func (s *Store) now() schema.Time {
	if s.replica != nil {
		return s.replica.at
	}
	return schema.Now()
}

// sweepBeforeRead is sweep for methods that only read. In a Replica a read must not forget tasks.
func (s *Store) sweepBeforeRead() {
	if s.replica == nil {
		s.sweep(s.now())
	}
}

// sweep forgets the final tasks that retention does not keep. Methods that must not show such tasks call it
// first.
func (s *Store) sweep(now schema.Time) {
	for s.tooMany(s.options.Keep, now) {
		s.forget()
	}
}

// sweepSoon is sweep for the end of a task. It may leave a few tasks too many, so that many are forgotten at
// once. That is faster, because these tasks left the processor's cache long ago.
func (s *Store) sweepSoon(now schema.Time) {
	if s.tooMany(s.options.Keep+min(s.options.Keep/32, sweepSlack), now) {
		s.sweep(now)
	}
}

// sweepSlack bounds how many tasks beyond Options.Keep sweepSoon leaves.
const sweepSlack = 256

// tooMany reports whether the oldest final task must be forgotten if at most keep of them may stay.
func (s *Store) tooMany(keep int, now schema.Time) bool {
	n := s.finals.len()
	if n == 0 {
		return false
	}
	fits := s.keptBytes <= s.options.KeepBytes || n == 1 // the newest is kept however large it is
	return n > keep || !fits || s.finals.oldestEnd() < now-schema.Time(s.options.KeepFor.Microseconds())
}

// forget drops the oldest final task, but not its id.
func (s *Store) forget() {
	oldest := s.finals.first
	_, f := s.finals.at(oldest)
	conditions, id := s.finals.restOf(oldest).conditions, s.known.idOf(oldest)
	s.dedupes.Forget(conditions, id)
	if executor.ParentOf(conditions) != uuid.Nil {
		s.trees.Forget(id)
	}
	s.timeline.remove(f.order)
	s.keptBytes -= s.finals.size(oldest)
	s.lastForgotten = f.seq
	s.counts.Evicted++
	*s.counts.Of(f.state)--
	s.finals.pop()
}

// Counts implements executor.Store.
func (s *Store) Counts(context.Context) (executor.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.Counts{}, executor.ErrClosed
	}
	s.sweepBeforeRead()
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

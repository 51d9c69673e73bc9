package memory

import (
	"context"
	"encoding/binary"
	"hash/fnv"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// Replica is a copy of a store that many processes share. Each process has one, and all apply the same changes
// in the same order and with the same times: those of a log. The result of a change depends on nothing else, so
// the copies stay equal. Each call of a method of Store that changes something is such a change. Methods that
// only read may be called at any time.
//
// One goroutine makes all changes. Make a Replica with NewReplica.
type Replica struct{ *Store }

// replicaState is what a Replica has beyond a Store.
type replicaState struct {
	at       schema.Time // the time of the latest change
	lastTell schema.Time // when Tell published last
	due      func()
}

// NewReplica makes an empty replica. It calls due, without holding a lock, when time alone changes something:
// then the caller writes a change that calls Advance and Tell in all replicas.
func NewReplica(due func()) *Replica {
	s := New(Options{})
	s.replica = &replicaState{due: due}
	s.planned = kit.NewPlanned(nil, s.claims.Wake, s.endPlanned, due)
	return &Replica{s}
}

// Advance sets the time of the changes that follow, and does what is due by then. A time before the current one
// is ignored.
func (r *Replica) Advance(now schema.Time) {
	for more := true; more; {
		more = r.advance(now)
	}
}

func (r *Replica) advance(now schema.Time) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replica.at = max(r.replica.at, now)
	more = r.planned.Advance(r.replica.at)
	r.sweep(r.replica.at)
	return more
}

// Tell is the change that publishes the progress of parents, which follows from their children. Soon after
// another Tell it only asks for a later one.
func (r *Replica) Tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed || !r.trees.Untold():
	case r.replica.at < r.replica.lastTell+schema.Time(executor.ProgressEvery.Microseconds()):
		r.publishProgressSoon()
	default:
		r.replica.lastTell = r.replica.at
		r.publishProgressLocked()
	}
}

// Overdue reports whether retention would forget a task at that time.
func (r *Replica) Overdue(now schema.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && r.tooMany(r.options.Keep, now)
}

// Configure is the change that sets the options that are not zero. MaxOutput must not change once there is
// output.
func (r *Replica) Configure(o Options) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set(&r.options.Keep, o.Keep)
	set(&r.options.KeepFor, o.KeepFor)
	set(&r.options.KeepBytes, o.KeepBytes)
	set(&r.options.KeepIDs, o.KeepIDs)
	set(&r.options.MaxQueued, o.MaxQueued)
	set(&r.options.MaxOutput, o.MaxOutput)
	r.known.limit = uint64(max(r.options.KeepIDs, 0))
	if o.Resources == nil {
		return
	}
	for name := range r.options.Resources {
		if _, stays := o.Resources[name]; !stays {
			r.planned.SetResource(name, 0, r.replica.at)
		}
	}
	for name, total := range o.Resources {
		r.planned.SetResource(name, total, r.replica.at)
	}
	r.options.Resources = o.Resources
	r.planned.Settle(r.replica.at)
}

func set[T comparable](option *T, wanted T) {
	if wanted != *new(T) {
		*option = wanted
	}
}

// Options answers the current options.
func (r *Replica) Options() Options {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.options
}

// Groups implements executor.Store. Unlike that of a Store it changes nothing.
func (r *Replica) Groups(context.Context) (plan.Overview, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return plan.Overview{}, executor.ErrClosed
	}
	return r.planned.Overview(), nil
}

// Opened resets the counts that Counts answers since the store was opened. It does not touch the state that
// replicas share.
func (r *Replica) Opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = executor.Counts{TaskCounts: r.counts.TaskCounts}
}

// JoinAs is Join for a process. Tasks that the claimer takes show as in runsOn.
func (r *Replica) JoinAs(ctx context.Context, o executor.Offer, as *schema.RunsOn) (executor.Claimer, error) {
	c, err := r.Join(ctx, o)
	if err == nil {
		c.(*claimer).as = as // not shared yet
	}
	return c, err
}

// Belong sets the process of claimers and leases that RestoreReplica has answered.
func (r *Replica) Belong(as *schema.RunsOn, h Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range h.Claimers {
		c.(*claimer).as = as
	}
	for _, l := range h.Leases {
		l.(*lease).as = as
	}
}

// Take is the change that gives a claimer of Join the next task that it may run, or nil.
func (r *Replica) Take(c executor.Claimer) executor.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := c.(*claimer).take(r.replica.at); l != nil {
		return l
	}
	return nil
}

// Await waits, after a Take that has answered nil, until there may be a task to take. Then the channel gets one
// value. The caller calls giveUp if it no longer waits. It changes nothing that replicas share.
func (r *Replica) Await(c executor.Claimer) (woken <-chan struct{}, giveUp func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := c.(*claimer).member
	free := m.Await()
	return free, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		m.GiveUp(free)
	}
}

// Offers reports whether a Take of this claimer may get a task. It changes nothing.
func (r *Replica) Offers(c executor.Claimer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := c.(*claimer).member
	return !r.planned.Paused() && (r.claims.Peek(m) != nil || r.planned.Offers(m.Taker()))
}

// Woken counts how many tasks may have become ready so far, some of them more than once. queued is how many
// tasks are queued now.
func (r *Replica) Woken() (woken uint64, queued int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims.Woken(), int(r.counts.Queued)
}

// Return is the change that undoes a Take whose task has not begun to run.
func (r *Replica) Return(taken executor.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := taken.(*lease)
	if l.lost() {
		return
	}
	now := r.replica.at
	l.entry.Value.attempt--
	if x := l.extra; x != nil && !x.cancelled.IsZero() {
		l.record = new(*l.record)                // others may still read the old one
		l.record.Attempt = l.entry.Value.attempt // of which the event of the end is made
		_ = l.finish((&executor.Cancellation{Reason: x.cancelReason}).Outcome(), now)
		l.release(now)
		return
	}
	e, t := l.unclaim(), l.link.planned()
	l.life = life{}
	r.claims.Release(l.claimer.member, l.record.Type)
	if t == nil {
		r.requeue(e)
		return
	}
	r.planned.Return(t, now)
	r.planned.Settle(now)
}

// Interrupt is the change that settles a task whose process is dead, or has lost the lease: the task runs again
// if it may, and ends otherwise. A task that has already ended only gives back its slot.
func (r *Replica) Interrupt(taken executor.Lease) {
	l := taken.(*lease)
	r.mu.Lock()
	if !l.lost() {
		l.record = new(*l.record) // a worker may still read the old one
		r.interrupt(l, r.replica.at)
	}
	l.release(r.replica.at)
	r.mu.Unlock()
	l.Revoke(executor.ErrLeaseLost) // without the lock, because Revoke may call back
}

func (r *Replica) interrupt(l *lease, now schema.Time) {
	var cancelled schema.Time
	var reason string
	if l.extra != nil {
		cancelled, reason = l.extra.cancelled, l.extra.cancelReason
	}
	if cancelled.IsZero() {
		again := l.record.AfterInterruption(kit.Interrupted(l.record.StartedAt, l.as), now, jitterOf(l.record.ID))
		if again != nil {
			_ = l.retry(again, now)
			return
		}
	}
	_ = l.finish(kit.Interruption(l.record.StartedAt, cancelled, reason, l.as), now)
}

// jitterOf stands in for a random number in the delay of a retry. It is the same in all replicas, and differs
// between most tasks.
func jitterOf(id uuid.UUID) uint32 { return binary.BigEndian.Uint32(id[len(id)-4:]) }

// unclaim takes a task out of the running ones. The caller holds mu, and puts the entry into a queue.
func (l *lease) unclaim() *entry {
	s, e := l.claimer.store, l.entry
	r := &e.Value
	s.running.Remove(e)
	s.counts.Running--
	s.counts.Queued++
	r.state = schema.Queued
	s.trees.Move(r.conditions(), r.id, schema.Queued)
	if r.life = nil; l.extra != nil || l.link != nil {
		r.life = &life{extra: l.extra, link: l.link}
	}
	l.entry = nil
	return e
}

// requeue puts a task without conditions back in its place. The caller holds mu.
func (r *Replica) requeue(e *entry) {
	r.claims.Return([]*entry{e}, func(r record) (string, int8) { return r.terms.typ, r.priority })
	r.claims.Wake(1)
}

// Digest is a checksum of the state. It is equal in all replicas after the same changes, and most likely
// different if they differ.
func (r *Replica) Digest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := fnv.New64a()
	c := r.counts.TaskCounts
	for _, n := range []int64{
		int64(r.feed.Seq()), c.Queued, c.Running, c.Completed, c.Failed, c.Cancelled, int64(r.claims.Len()), int64(r.planned.Len()),
		int64(r.finals.first), int64(r.finals.next), r.keptBytes, int64(r.lastForgotten),
	} {
		_ = binary.Write(h, binary.BigEndian, n)
	}
	return h.Sum64()
}

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

// Replica is a copy of a store that many processes share. Each of them has one, and all of them
// make the same changes in the same order and at the same times: those of a log. What comes of a
// change depends on nothing else, so the copies stay equal. The methods of the Store that change
// something make one such change; those that only read may be called at any time.
//
// One goroutine makes all changes. Make a Replica with NewReplica.
type Replica struct{ *Store }

// logged is what a Replica has and another Store has not.
type logged struct {
	at   schema.Time // of the latest change
	told schema.Time // when Tell has told something
	due  func()
}

// NewReplica makes an empty replica. It calls due, without a lock, when time alone changes
// something: then Tell is to be called in all replicas.
func NewReplica(due func()) *Replica {
	s := New(Options{})
	s.logged = &logged{due: due}
	s.planned = kit.NewPlanned(nil, s.claims.Wake, s.endPlanned, due)
	return &Replica{s}
}

// Advance tells the time of the changes that follow, and does what is due then. The time does not
// go backwards.
func (r *Replica) Advance(now schema.Time) {
	for more := true; more; {
		more = r.advance(now)
	}
}

func (r *Replica) advance(now schema.Time) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logged.at = max(r.logged.at, now)
	more = r.planned.Advance(r.logged.at)
	r.sweep(r.logged.at)
	return more
}

// Tell is the change that tells watchers the progress that tasks have by their children, where that
// was not told a moment ago.
func (r *Replica) Tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed || !r.trees.Untold():
	case r.logged.at < r.logged.told+schema.Time(executor.ProgressEvery.Microseconds()):
		r.tellSoon()
	default:
		r.logged.told = r.logged.at
		r.tellChanged()
	}
}

// Overdue reports whether retention would forget a task at a time.
func (r *Replica) Overdue(now schema.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && r.tooMany(r.options.Keep, now)
}

// Configure changes the options that are not zero. MaxOutput must not change once there is output.
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
			r.planned.SetResource(name, 0, r.logged.at)
		}
	}
	for name, total := range o.Resources {
		r.planned.SetResource(name, total, r.logged.at)
	}
	r.options.Resources = o.Resources
	r.planned.Settle(r.logged.at)
}

// set changes an option unless the wanted one is zero.
func set[T comparable](option *T, wanted T) {
	if wanted != *new(T) {
		*option = wanted
	}
}

// Options answers the options as they are.
func (r *Replica) Options() Options {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.options
}

// Groups implements executor.Store. It changes nothing.
func (r *Replica) Groups(context.Context) (plan.Overview, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return plan.Overview{}, executor.ErrClosed
	}
	return r.planned.Overview(), nil
}

// Opened says that from now on Counts counts what happens since the store was opened.
func (r *Replica) Opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = executor.Counts{TaskCounts: r.counts.TaskCounts}
}

// JoinAs is Join of a process that is told of the tasks that it takes.
func (r *Replica) JoinAs(ctx context.Context, o executor.Offer, as *schema.RunsOn) (executor.Claimer, error) {
	c, err := r.Join(ctx, o)
	if err == nil {
		c.(*claimer).as = as // nobody else has it yet
	}
	return c, err
}

// Belong says which process has claimers and leases of a replica that was just restored.
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

// Take is the change that gives a claimer of Join the next task that may run, or nil.
func (r *Replica) Take(c executor.Claimer) executor.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := c.(*claimer).take(r.logged.at); l != nil {
		return l
	}
	return nil
}

// Await begins to wait, behind a Take that has answered nil, until there may be something to take.
// Then the channel gets one value. giveUp ends the wait. It changes nothing that the replicas share.
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

// Offers reports whether a Take for a claimer of Join may get something. It changes nothing.
func (r *Replica) Offers(c executor.Claimer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := c.(*claimer).member
	return !r.planned.Paused() && (r.claims.Peek(m) != nil || r.planned.Offers(m.Taker()))
}

// Woken counts the tasks that may have become ready, some of them more than once, and queued is how
// many wait now.
func (r *Replica) Woken() (woken uint64, queued int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claims.Woken(), int(r.counts.Queued)
}

// Return is the change that undoes a Take whose task nobody has begun to run.
func (r *Replica) Return(taken executor.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := taken.(*lease)
	if l.lost() {
		return
	}
	now := r.logged.at
	l.entry.Value.attempt--
	if x := l.extra; x != nil && !x.cancelled.IsZero() {
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

// Interrupt is the change that settles a task whose process is dead, or has lost the lease: the
// task runs again if it may, and ends otherwise. A task that has ended no longer counts as running.
func (r *Replica) Interrupt(taken executor.Lease) {
	l := taken.(*lease)
	r.mu.Lock()
	if !l.lost() {
		l.record = new(*l.record) // a worker may still read the other one
		r.interrupt(l, r.logged.at)
	}
	l.release(r.logged.at)
	r.mu.Unlock()
	l.Revoke(executor.ErrLeaseLost) // without the lock, because Revoke may call back
}

func (r *Replica) interrupt(l *lease, now schema.Time) {
	var cancelled schema.Time
	var reason string
	if l.extra != nil {
		cancelled, reason = l.extra.cancelled, l.extra.cancelReason
	}
	if !cancelled.IsZero() || !l.record.RunsAgain() {
		_ = l.finish(kit.Interruption(l.record.StartedAt, cancelled, reason, l.as), now)
		return
	}
	why := kit.Interrupted(l.record.StartedAt, l.as)
	if again := l.record.AfterInterruption(why, now, chanceOf(l.record.ID)); again != nil {
		_ = l.retry(again, now)
		return
	}
	r.rerun(l, &executor.Again{At: now, Error: why}, now)
}

// chanceOf is a number that is the same in all replicas, and another one for most other tasks.
func chanceOf(id uuid.UUID) uint32 { return binary.BigEndian.Uint32(id[len(id)-4:]) }

// rerun puts a task back in its place after an attempt that does not count. It needs the lock.
func (r *Replica) rerun(l *lease, again *executor.Again, now schema.Time) {
	terms := l.entry.Value.terms
	r.feed.PublishOf(terms.owner, terms.events, kit.Retrying(l.record, again, nil), l.live)
	r.trees.Again(l.record.ID)
	e, ran := l.unclaim(), l.link.planned()
	if x := e.Value.extra(); x != nil {
		x.progress = nil
	}
	l.life = life{link: &link{task: ran}} // for release
	if ran == nil {
		r.requeue(e)
		return
	}
	next := new(kit.NewTask(l.record))
	next.Order, next.Value = e.Order(), e
	e.Value.link().task = next
	r.planned.Submit(next, now, nil)
	r.planned.Settle(now)
}

// unclaim takes a task out of those that run. It is in no queue then. It needs the lock.
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

// requeue puts a task without conditions back in its place. It needs the lock.
func (r *Replica) requeue(e *entry) {
	r.claims.Return([]*entry{e}, func(r record) (string, int8) { return r.terms.typ, r.priority })
	r.claims.Wake(1)
}

// Digest is a number that is the same in all replicas after the same changes, and most likely
// another one where they differ.
func (r *Replica) Digest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := fnv.New64a()
	c := r.counts.TaskCounts
	for _, n := range []int64{
		int64(r.feed.Seq()), c.Queued, c.Running, c.Completed, c.Failed, c.Cancelled, int64(r.claims.Len()), int64(r.planned.Len()),
		int64(r.finals.first), int64(r.finals.next), r.kept, int64(r.gone),
	} {
		_ = binary.Write(h, binary.BigEndian, n)
	}
	return h.Sum64()
}

package memory

import (
	"bytes"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file reads the tasks of a snapshot that are not final, the leases of them, and what they wait for.

func duration(v int64) time.Duration { return time.Duration(v) }

func (r *snapshotReader) readEntry() {
	s := r.to.Store
	e := new(entry)
	e.Value.id = r.id()
	order := r.uint()
	e.Value.created, e.Value.attempt, e.Value.state, e.Value.priority = r.time(s.replica.at), int32(r.int()), r.state(), int8(r.byte())
	e.Value.terms, e.Value.input = r.terms(), textOf(bytes.Clone(r.bytes()))
	x, c, _ := r.readRare()
	open, planned := r.places(c)
	v := &e.Value
	switch {
	case r.err != nil:
	case v.state.Final() || v.priority < executor.MinPriority || v.priority > executor.MaxPriority || c != nil && !planned:
		r.fail("the task %v is %v, with priority %d, which no open task can be", v.id, v.state, v.priority)
	case order <= s.claims.Last() || order > r.about.Last || s.records.get(v.id) != nil || !r.timeline.add(order, place{entry: e}):
		r.fail("the task %v has the order number %d, and another task has the same or a later one", v.id, order)
	}
	if r.err != nil {
		return
	}
	s.putOpen(e, order, planned, x, c)
	if planned && v.state == schema.Queued {
		r.waiting = append(r.waiting, waiting{e, open})
	}
}

// putOpen adds a task that is not final. Its order number must be above all before it. If planned is set, the
// caller gives the task to the planner later. The caller holds mu.
func (s *Store) putOpen(e *entry, order uint64, planned bool, x *extra, c *schema.Conditions) {
	v := &e.Value
	if planned {
		planAgain(e, x, c)
	}
	if x != nil {
		*v.withExtra() = *x
	}
	switch {
	case v.state == schema.Running:
		s.claims.NumberAs(e, order)
		s.counts.Running++
	case planned:
		s.claims.NumberAs(e, order)
		s.counts.Queued++
	default:
		s.claims.PushAs(e, order, v.terms.typ, v.priority)
		s.counts.Queued++
	}
	if t := v.planned(); t != nil {
		t.Order = order
	}
	s.records.add(e)
	s.dedupes.Add(c, v.id)
}

// places reads whether the planner has a task, and the indexes in its Conditions.After of the tasks that are
// not final.
func (r *snapshotReader) places(c *schema.Conditions) (open []int, planned bool) {
	n := r.uint()
	if n == 0 || r.err != nil {
		return nil, false
	}
	after := 0
	if c != nil {
		after = len(c.After)
	}
	for n--; n > 0 && r.err == nil; n-- {
		open = append(open, int(r.below(uint64(after), "a place among those before a task")))
	}
	return open, true
}

// planAgain makes the link of a task to the planner.
func planAgain(e *entry, x *extra, c *schema.Conditions) {
	v := &e.Value
	var of executor.Record
	of.ID, of.Type, of.Priority, of.Attempt, of.Conditions = v.id, v.terms.typ, v.priority, v.attempt, c
	if v.state == schema.Running {
		of.Attempt-- // the planner has the task as it was before the claim
	}
	if x != nil {
		of.History = x.history
	}
	if c != nil {
		setConditions(e, &of)
		return
	}
	t := new(kit.NewTask(&of))
	t.Value = e
	if t.Conditions == nil {
		t.Conditions = new(schema.Conditions)
	}
	v.life = &life{link: &link{task: t}}
}

// held reads the claimers and the leases.
func (r *snapshotReader) held() {
	for r.haveBlock && r.kind == blockHeld {
		one := r.readLease
		if r.byte() == heldClaimers {
			one = r.readClaimer
		}
		for r.more() {
			one()
		}
		r.haveBlock = r.next()
	}
	if s := r.to.Store; r.err == nil && int64(s.running.Len()) != s.counts.Running {
		r.fail("%d tasks are running, and it has leases of %d", s.counts.Running, s.running.Len())
	}
}

func (r *snapshotReader) readClaimer() {
	var o executor.Offer
	every := r.flag()
	r.json(&o.Types)
	r.json(&o.Labels)
	r.json(&o.Limits)
	if every {
		o.Types = nil
	} else if o.Types == nil {
		o.Types = []string{}
	}
	r.heldByOthers.Claimers = append(r.heldByOthers.Claimers, &claimer{store: r.to.Store, member: r.to.claims.Join(o)})
}

func (r *snapshotReader) readLease() {
	c := &claimer{store: r.to.Store, member: new(kit.Member)} // for a claimer that has left
	if n := r.below(uint64(len(r.heldByOthers.Claimers))+1, "the number of a claimer"); n > 0 {
		c = r.heldByOthers.Claimers[n-1].(*claimer)
	}
	id := r.id()
	if !r.flag() {
		of := &executor.Record{}
		of.ID, of.Attempt, of.Type = id, int32(r.int()), r.text()
		l := &lease{claimer: c, record: of}
		if r.flag() {
			t := &plan.Task{ID: id, Type: of.Type, Priority: int8(r.byte()), Order: r.uint(), Conditions: new(schema.Conditions)}
			r.json(t.Conditions)
			l.link = &link{task: t}
			r.taken = append(r.taken, t)
		}
		r.give(l)
		return
	}
	seq, started := r.uint(), r.time(r.to.replica.at)
	if r.err != nil {
		return
	}
	e := r.find(id)
	if e == nil {
		return
	}
	v := &e.Value
	if v.state != schema.Running || v.lease() != nil {
		r.fail("the task %v has a lease and is not running, or has two", id)
		return
	}
	l := &lease{claimer: c, entry: e, record: v.claimed(started)}
	l.seq, l.extra, l.lease, l.link = seq, v.extra(), l, v.link()
	v.life = &l.life
	r.to.running.Push(e)
	if t := l.link.planned(); t != nil {
		r.taken = append(r.taken, t)
	}
	r.give(l)
}

func (r *snapshotReader) give(l *lease) {
	l.claimer.member.Hold(l.record.Type)
	r.heldByOthers.Leases = append(r.heldByOthers.Leases, l)
}

// plan restores the planner.
func (r *snapshotReader) plan() {
	if !r.haveBlock || r.kind != blockPlan {
		r.fail("it has no groups and resources")
		return
	}
	p, now := &r.to.planned, r.to.replica.at
	var head planHead
	r.json(&head)
	for name, total := range head.Resources {
		p.SetResource(name, total, now)
	}
	for r.more() {
		var g groupState
		r.json(&g)
		settings, starts := g.settings()
		p.SetGroup(g.Name, settings, now)
		if settings.Rate.Count > 0 {
			p.Began(g.Name, starts, now)
		}
	}
	p.Pause(head.Paused)
	r.haveBlock = r.next()
	if r.err != nil {
		return
	}
	for _, t := range r.taken {
		p.Retake(t, now)
	}
	for _, w := range r.waiting {
		r.wait(&w, now)
	}
	r.each(blockParked, func() {
		if e := r.find(r.id()); e != nil && (e.Value.planned() == nil || !p.Park(e.Value.planned())) {
			r.fail("the task %v does not wait for a resource", e.Value.id)
		}
	})
	p.Restored(now)
}

// wait gives a waiting task to the planner.
func (r *snapshotReader) wait(w *waiting, now schema.Time) {
	t := w.entry.Value.planned()
	before := make([]*plan.Node, len(t.Conditions.After))
	for _, place := range w.open {
		if place >= len(before) {
			r.fail("the task %v comes after more tasks than it names", t.ID)
			return
		}
		e := r.find(t.Conditions.After[place].ID)
		if e == nil {
			return
		}
		before[place] = e.Value.node()
	}
	r.to.planned.Add(t, now, func(place int) *plan.Node { return before[place] })
}

package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// RefilledReplica makes a replica with the content of another store. Its time is that of the copied content, or
// latest if that is earlier: the clock of the changes that follow may be behind the clock of the other store. A
// limit that is not known gets its default, or more if the content needs it.
func RefilledReplica(ctx context.Context, from transfer.Source, latest schema.Time) (*Replica, error) {
	made := NewReplica(func() {})
	r := refiller{to: made.Store, about: from.About(), ranOn: map[schema.RunsOn]*schema.RunsOn{}}
	made.replica.at = min(r.about.At, latest)
	made.mu.Lock()
	err := r.refill(ctx, from)
	made.mu.Unlock()
	if err != nil {
		_ = made.Close() // its timers
		return nil, err
	}
	return made, nil
}

// refiller fills the store of a new replica. It holds mu.
type refiller struct {
	to       *Store
	about    *transfer.About
	timeline timelineMaker
	ranOn    map[schema.RunsOn]*schema.RunsOn // each executor once, as tasks share it
	waiting  []*entry                         // tasks for the planner
	children []child
}

// child is a task that is a child of another one.
type child struct {
	order      uint64
	id         uuid.UUID
	state      schema.State
	conditions *schema.Conditions
}

func (r *refiller) refill(ctx context.Context, from transfer.Source) error {
	s, a := r.to, r.about
	s.feed.SetSeq(a.Seq)
	s.lastForgotten = a.Gone
	s.options.MaxOutput = a.Limits.MaxOutput
	s.schedules.Set(a.Schedules)
	s.known.limit = 1 << 62 // remember all ids until limits are set
	forgotten := uint64(0)
	err := from.Forgotten(ctx, func(id uuid.UUID) error {
		s.known.add(id, forgotten, forgotten)
		forgotten++
		return nil
	})
	if err != nil {
		return err
	}
	s.finals.begin(forgotten)
	if err := from.Finals(ctx, r.final); err != nil {
		return err
	}
	if err := from.Waiting(ctx, r.open); err != nil {
		return err
	}
	s.timeline = r.timeline.made()
	s.claims.SetLast(a.Order)
	r.limits(forgotten)
	r.plan()
	r.trees()
	return nil
}

// final adds a final task.
func (r *refiller) final(t *transfer.Task) error {
	s := r.to
	number := s.finals.next
	s.known.add(t.ID, number, s.finals.first)
	if !r.timeline.add(t.Order, place{number: number}) {
		return fmt.Errorf("two tasks have the order number %d", t.Order)
	}
	s.putFinal(final{
		seq: t.Seq, order: t.Order, created: t.CreatedAt, started: t.StartedAt, finished: t.FinishedAt,
		attempt: t.Attempt, state: t.State, priority: t.Priority,
	}, r.terms(t), r.executor(t), rest{input: textOf(t.Input), result: textOf(t.Result), extra: r.extra(t), conditions: t.Conditions})
	r.noteTask(t)
	return nil
}

// open adds a task that is not final. It must be queued.
func (r *refiller) open(t *transfer.Task) error {
	s := r.to
	e := new(entry)
	e.Value = record{id: t.ID, input: textOf(t.Input), created: t.CreatedAt, terms: r.terms(t), attempt: t.Attempt, state: t.State, priority: t.Priority}
	if t.State != schema.Queued {
		return fmt.Errorf("the task %v is %v, and must be queued", t.ID, t.State)
	}
	if t.Order <= s.claims.Last() || !r.timeline.add(t.Order, place{entry: e}) {
		return fmt.Errorf("the task %v has the order number %d, and another task has the same or a later one", t.ID, t.Order)
	}
	planned := t.Conditions != nil || t.History != nil
	s.putOpen(e, t.Order, planned, r.extra(t), t.Conditions)
	if planned {
		r.waiting = append(r.waiting, e)
	}
	r.noteTask(t)
	return nil
}

// noteTask notes what is needed of each task later.
func (r *refiller) noteTask(t *transfer.Task) {
	if bytes.Compare(t.ID[:], r.to.latest[:]) > 0 {
		r.to.latest = t.ID
	}
	if executor.ParentOf(t.Conditions) != uuid.Nil {
		r.children = append(r.children, child{t.Order, t.ID, t.State, t.Conditions})
	}
}

func (r *refiller) terms(t *transfer.Task) *terms {
	return r.to.terms.of(&terms{typ: t.Type, timeout: t.Timeout, grace: t.Grace, rerun: t.Rerun, labels: t.Labels})
}

// executor is the one that had a task, or nil.
func (r *refiller) executor(t *transfer.Task) *schema.RunsOn {
	if t.RanOn == nil {
		return nil
	}
	on := r.ranOn[*t.RanOn]
	if on == nil {
		on = t.RanOn
		r.ranOn[*on] = on
	}
	return on
}

// extra makes the extra of a task, or nil if it needs none.
func (r *refiller) extra(t *transfer.Task) *extra {
	x := extra{cancelled: t.CancelRequestedAt, cancelReason: t.CancelReason, progress: t.Progress, err: t.Error, history: t.History}
	if t.OutputBytes != nil {
		x.out = new(kit.Streams)
		for i, total := range []int64{t.OutputBytes.Stdout, t.OutputBytes.Stderr, t.OutputBytes.Log} {
			x.out[i].Restart(total - int64(len(t.Output[i])))
			x.out[i].Write(t.Output[i], r.about.Limits.MaxOutput)
		}
	}
	if x == (extra{}) {
		return nil
	}
	return &x
}

// refilledKeepFor is how long final tasks are kept, at least, if no limit is known. It is the default of a
// store in a file.
const refilledKeepFor = 30 * 24 * time.Hour

// limits sets the limits. Limits that are not known are set so that nothing that was copied is forgotten.
func (r *refiller) limits(forgotten uint64) {
	s, l := r.to, &r.about.Limits
	o := &s.options
	oldest := time.Duration(0)
	if s.finals.len() > 0 {
		oldest = time.Duration(s.replica.at-s.finals.oldestEnd()) * time.Microsecond
	}
	const day = 24 * time.Hour
	o.Keep = cmp.Or(l.Keep, max(o.Keep, s.finals.len()))
	o.KeepFor = cmp.Or(l.KeepFor, max(o.KeepFor, refilledKeepFor, oldest.Truncate(day)+2*day))
	o.KeepBytes = cmp.Or(l.KeepBytes, max(o.KeepBytes, s.keptBytes))
	o.KeepIDs = cmp.Or(l.KeepIDs, max(o.KeepIDs, int(forgotten)))
	o.MaxQueued = cmp.Or(l.MaxQueued, max(o.MaxQueued, int(s.counts.Queued)))
	o.Resources = l.Resources
	s.known.limit = uint64(max(o.KeepIDs, 0))
}

// plan gives the tasks with conditions to the planner.
func (r *refiller) plan() {
	s, now := r.to, r.to.replica.at
	for name, total := range r.about.Limits.Resources {
		s.planned.SetResource(name, total, now)
	}
	for _, g := range r.about.Groups {
		s.planned.SetGroup(g.Name, g.Settings, now)
		if g.Settings.Rate.Count > 0 {
			s.planned.Began(g.Name, g.Starts, now)
		}
	}
	s.planned.Pause(r.about.Paused)
	for _, e := range r.waiting {
		t := e.Value.planned()
		s.before = s.before[:0]
		for _, d := range t.Conditions.After {
			s.before = append(s.before, r.before(d))
		}
		s.planned.Submit(t, now, s.before)
	}
	clear(s.before)
	s.planned.Settle(now)
}

// before is a task that another one comes after. If it is no longer kept, it has ended in the state that the
// other task needs: otherwise that task would have ended with it.
func (r *refiller) before(d schema.Dependency) kit.Before {
	p, err := r.to.find(d.ID)
	if err == nil {
		return r.to.dependencyAt(p)
	}
	if d.On == schema.OnFailure {
		return kit.Before{State: schema.Failed}
	}
	return kit.Before{State: schema.Completed}
}

// trees rebuilds the trees of the tasks from their parents.
func (r *refiller) trees() {
	s := r.to
	slices.SortFunc(r.children, func(a, b child) int { return cmp.Compare(a.order, b.order) })
	for _, c := range r.children {
		s.trees.Add(c.conditions, c.id, c.order)
		if c.state.Final() {
			s.trees.End(c.id, c.state)
		}
	}
	for _, id := range s.trees.Parents() {
		if s.records.get(id) != nil {
			continue
		}
		state := schema.Completed // of one that is no longer kept
		if p, err := s.find(id); err == nil {
			_, f := s.finals.at(p.number)
			state = f.state
		}
		s.trees.End(id, state)
	}
}

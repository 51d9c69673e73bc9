package kit

import (
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

const (
	// planPiece is how many tasks become ready, or end because of a condition, before others can have the
	// store's lock.
	planPiece = 256
	// clockCheck is the longest wait for a time without a look at the clock, which may be set meanwhile.
	clockCheck = time.Minute
)

// Planned is a planner with what a store needs for it: a timer that tells it the time, and the ends of tasks
// that end because of their conditions, in pieces. The store's lock protects it.
type Planned struct {
	*plan.Planner
	wake   func(n int)       // lets up to n claims look for a task
	end    func(plan.Ending) // ends a task, if it still waits
	pass   func()            // called without the lock; it takes the lock and calls Advance
	ending []plan.Ending
	timer  *time.Timer // calls pass, at wakes unless that is 0
	wakes  schema.Time
	// passing is set while pass has more to do, so that it need not be called again.
	passing bool
	// gaveUp is set if Peek stopped because it found too many expired tasks.
	gaveUp bool
	closed bool
}

// NewPlanned makes a planner for a store. It calls wake and end with the lock held.
func NewPlanned(resources map[string]int64, wake func(n int), end func(plan.Ending), pass func()) Planned {
	p := Planned{Planner: plan.New(), wake: wake, end: end, pass: pass}
	for name, total := range resources {
		p.SetResource(name, total, schema.Now())
	}
	return p
}

// Waiting is how many tasks wait, including those that are about to end.
func (p *Planned) Waiting() int { return p.Len() + len(p.ending) }

// Waits answers what a task waits for. If it waits for a retry, that has the error of its last attempt. h is
// the task's history, or nil.
func (p *Planned) Waits(t *plan.Task, h *executor.History) []schema.Waiting {
	all := p.Planner.Waiting(t)
	if h == nil || len(h.Attempts) == 0 {
		return all
	}
	last := earlierError(h.Attempts[len(h.Attempts)-1].Error)
	for i := range all {
		if w := &all[i]; w.Kind == schema.WaitsForRetry && last != nil {
			w.Message += fmt.Sprintf("; attempt %d failed as %s: %s", h.Attempts[len(h.Attempts)-1].Attempt, last.Kind, last.Message)
			w.Error = last
		}
	}
	return all
}

// Unclaimable counts the tasks that cannot run on a member until a time, as executor.Claimer.Unclaimable does.
// cannotRun answers that for a task that the planner does not have.
func (p *Planned) Unclaimable(m *Member, until schema.Time, cannotRun func(id uuid.UUID) bool) int {
	return max(p.Stranded(until, m.anyTime(), cannotRun), p.Untaken(m.anyTime()))
}

// Before is a task that another one comes after.
type Before struct {
	State schema.State
	Node  *plan.Node // nil if the task is final
}

// Submit adds a task that has its order number. before are the tasks that it comes after, in the order of
// Conditions.After. If one of them has ended in another state than it must, the task ends.
func (p *Planned) Submit(t *plan.Task, now schema.Time, before []Before) {
	for i, d := range t.Conditions.After {
		if is := before[i].State; is.Final() && !d.On.Met(is) {
			p.Doom(t, d.ID)
			return
		}
	}
	p.Add(t, now, func(i int) *plan.Node { return before[i].Node })
}

// Would answers how a task would be if it were submitted now. before are the tasks that it comes after.
func (p *Planned) Would(r *executor.Record, now schema.Time, before []Before) *schema.Task {
	would := r.Task
	if r.Conditions == nil {
		return &would
	}
	t := NewTask(r)
	t.Order = math.MaxUint64 // behind all others
	end := func(cause uuid.UUID) *schema.Task {
		End(&would, Unrun(plan.Ending{Task: &t, Cause: cause}), nil, now)
		return &would
	}
	for i, d := range t.Conditions.After {
		if is := before[i].State; is.Final() && !d.On.Met(is) {
			return end(d.ID)
		}
	}
	if at := t.Conditions.ExpiresAt; !at.IsZero() && at <= now {
		return end(uuid.Nil)
	}
	p.Add(&t, now, func(i int) *plan.Node { return before[i].Node })
	would.WaitingFor = p.Planner.Waiting(&t)
	p.Remove(&t)
	p.Settle(now)
	return &would
}

// Precedes reports whether a task of the planner runs before one of the queue.
func Precedes(t *plan.Task, priority int8, order uint64) bool {
	return t.Priority > priority || t.Priority == priority && t.Order < order
}

// Peek answers the task that is to run next, of those that the taker takes, or nil. If many have expired it may
// answer nil, and calls wake soon.
func (p *Planned) Peek(w plan.Taker, now schema.Time) *plan.Task {
	t, more := p.Planner.Peek(w, now, planPiece)
	if p.Changed() { // some have expired, and others come after them
		p.Settle(now)
		t, more = p.Planner.Peek(w, now, 0)
	}
	if more {
		p.gaveUp = true
		p.arm(now)
	}
	return t
}

// Settle does what the planner has decided: it wakes claims and ends tasks. Call it after each use of the
// planner.
func (p *Planned) Settle(now schema.Time) {
	for left := planPiece; left > 0; {
		changes := p.Changes()
		if changes.Ready > 0 {
			p.wake(changes.Ready)
		}
		p.ending = append(p.ending, changes.Ending...)
		n := min(left, len(p.ending))
		if n == 0 {
			break
		}
		piece := p.ending[:n]
		p.ending = p.ending[n:]
		left -= n
		for _, e := range piece {
			p.end(e)
		}
	}
	if len(p.ending) == 0 {
		p.ending = nil
	}
	p.arm(now)
}

// arm sets the timer that calls pass when the next thing is due.
func (p *Planned) arm(now schema.Time) {
	at := p.Next()
	if len(p.ending) > 0 || p.gaveUp || p.Changed() {
		at = now
	}
	if at == p.wakes || p.passing || p.closed {
		return
	}
	p.wakes = at
	if p.timer != nil {
		p.timer.Stop()
	}
	if !at.IsZero() {
		most := schema.Time(clockCheck.Microseconds()) // a later time may be beyond a time.Duration
		p.timer = time.AfterFunc(time.Duration(min(max(at-now, 0), most))*time.Microsecond, p.pass)
	}
}

// Advance tells the planner the time, and does a piece of what is due. It reports whether there is more.
func (p *Planned) Advance(now schema.Time) (more bool) {
	p.passing = true
	more = p.Planner.Advance(now, planPiece)
	p.Settle(now)
	if p.gaveUp {
		p.gaveUp = false
		p.wake(p.Len())
	}
	if more || !p.Settled() {
		return true
	}
	p.passing, p.wakes = false, 0
	p.arm(now)
	return false
}

// Settled reports whether everything that the planner has decided is done.
func (p *Planned) Settled() bool { return len(p.ending) == 0 && !p.gaveUp && !p.Changed() }

// Restored says that the planner was restored from a snapshot: what it decided while it was filled was done
// before.
func (p *Planned) Restored(now schema.Time) {
	p.Changes()
	p.arm(now)
}

// Close stops the timer. Nothing is due any more.
func (p *Planned) Close() {
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// NewTask is a task for the planner, without its order number. A task that has had an attempt waits only for
// its turn and for the time of its next attempt: its dependencies were met, and it does not expire.
func NewTask(r *executor.Record) plan.Task {
	t := plan.Task{ID: r.ID, Type: r.Type, Priority: r.Priority, Conditions: r.Conditions}
	if r.Attempt == 0 {
		return t
	}
	left := new(schema.Conditions)
	if r.Conditions != nil {
		*left = *r.Conditions
	}
	left.RunAt, left.ExpiresAt, left.After = 0, 0, nil
	if r.History != nil {
		left.RunAt = r.History.DueAt
	}
	t.Conditions, t.Attempt = left, r.Attempt+1
	return t
}

// Replan sets the conditions of a suspended task of the planner to those of its record. Its dependencies stay.
func Replan(t *plan.Task, r *executor.Record) {
	now := NewTask(r)
	if t.Priority, t.Conditions = now.Priority, now.Conditions; t.Conditions == nil {
		t.Conditions = new(schema.Conditions)
	}
}

// Unrun is the outcome of a task that ends because of its conditions.
func Unrun(e plan.Ending) executor.Outcome {
	return executor.Outcome{State: schema.Failed, Error: e.Error()}
}

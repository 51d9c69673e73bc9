package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Planner has the tasks with conditions that wait, and those of them that run. Make one with New. It is not
// safe for concurrent use.
type Planner struct {
	size      int // tasks that wait
	now       schema.Time
	paused    bool
	due       heap[*Task, byDue]
	expiries  heap[*Task, byExpiry]
	nodes     *Node // the list of nodes for which tasks wait
	keys      map[string]*key
	groups    map[string]*group
	closings  heap[*group, byReopening] // groups that a rate has closed
	lanes     map[laneName]*lane
	latest    *lane // the lane that a task entered last, or nil
	kinds     map[kindName]*kind
	shown     map[label][]*kind // by kind.sought: the kinds with lanes
	resources map[string]*resource
	changes   Changes
	ending    map[uuid.UUID]uuid.UUID // tasks that must end: the task whose end is the cause
	causes    map[uuid.UUID]int       // by cause: how many tasks of ending it has
}

// New makes a planner without tasks.
func New() *Planner {
	return &Planner{
		keys: map[string]*key{}, groups: map[string]*group{},
		ending: map[uuid.UUID]uuid.UUID{}, causes: map[uuid.UUID]int{},
		lanes: map[laneName]*lane{}, kinds: map[kindName]*kind{}, shown: map[label][]*kind{}, resources: map[string]*resource{},
	}
}

// Changes are what operations have caused since the last call of Planner.Changes.
type Changes struct {
	// Ready is how many claims may find a task now. Some may find none. When one finds a task, Take says
	// whether there may be another.
	Ready int
	// Ending are tasks that must end now. The planner no longer has them. When one has ended, the store calls
	// Ended, which may add others.
	Ending []Ending
}

// Ending is a task that must end without having run.
type Ending struct {
	Task *Task
	// Cause is the task that ended in another state than it must, or uuid.Nil if the task has expired.
	Cause uuid.UUID
}

// Changes answers what has changed since the last call. Call it after each operation. The caller owns the
// slice.
func (p *Planner) Changes() Changes {
	c := p.changes
	p.changes = Changes{}
	return c
}

// Changed reports whether Changes has an answer.
func (p *Planner) Changed() bool { return p.changes.Ready > 0 || len(p.changes.Ending) > 0 }

// Len is how many tasks wait.
func (p *Planner) Len() int { return p.size }

// Paused reports whether everything is paused.
func (p *Planner) Paused() bool { return p.paused }

// Add adds a task. before answers the node of the dependency at an index of After, or nil if that has already
// ended as it must.
func (p *Planner) Add(t *Task, now schema.Time, before func(place int) *Node) {
	p.now = now
	p.follow(t, before)
	p.join(t)
}

// join lets a task wait.
func (p *Planner) join(t *Task) {
	p.size++
	t.kind = p.kindOf(t)
	t.kind.waiting++
	if !t.Conditions.ExpiresAt.IsZero() {
		p.expiries.push(t)
	}
	p.admit(t)
}

// admit moves a task to the first stage at which it must wait.
func (p *Planner) admit(t *Task) {
	switch {
	case t.open > 0:
		t.stage = dependent
	case t.Conditions.RunAt > p.now:
		t.stage = delayed
		p.due.push(t)
	case t.Conditions.Key != "":
		p.queue(t)
	default:
		p.enter(t)
	}
}

// Remove removes a task that waits or is suspended.
func (p *Planner) Remove(t *Task) {
	if t.stage != suspended {
		p.detach(t)
	}
	t.stage = absent
	p.abandon(t)
}

// detach takes out a waiting task. It stays a dependent of the tasks that it comes after.
func (p *Planner) detach(t *Task) {
	switch t.stage {
	case delayed:
		p.due.remove(t)
	case keyed, ready:
		p.withdraw(t)
	}
	p.gone(t)
}

// gone notes that a task no longer waits.
func (p *Planner) gone(t *Task) {
	if t.expiry > 0 {
		p.expiries.remove(t)
	}
	t.stage = absent
	p.size--
	k := t.kind
	k.waiting--
	t.kind = nil
	p.tidyKind(k)
}

// Ended notes that a task is final, whether the planner had it or not. n is its node, or nil if no task comes
// after it. Tasks that come after it may run now, or must end.
func (p *Planner) Ended(id uuid.UUID, n *Node, as schema.State) {
	p.hasEnded(id)
	if n == nil {
		return
	}
	for n.first != nil {
		t, on := n.first.task, n.first.on
		p.unlink(n.first)
		t.open--
		switch held := t.stage == suspended; {
		case !on.Met(as):
			if !held {
				p.gone(t)
				p.abandon(t)
			}
			p.Doom(t, id)
		case t.open == 0 && !held:
			p.admit(t)
		}
	}
}

// Peek answers the task that is to run next, of those that the taker takes, or nil. The task stays where it is.
// An expired task is put among the Changes instead. If there are too many of those in a row, it answers nil,
// and more: then there may be a task after them.
func (p *Planner) Peek(w Taker, now schema.Time, most int) (t *Task, more bool) {
	p.now = now
	for !p.paused {
		best := p.best(w)
		switch {
		case best == nil:
			return nil, false
		case best.head().expired(now):
			if most--; most < 0 {
				return nil, true
			}
			p.expire(best.head())
		case best.fits():
			return best.head(), false
		default:
			best.park()
		}
	}
	return nil, false
}

// Offers reports whether Peek may answer a task. It changes nothing.
func (p *Planner) Offers(w Taker) bool { return !p.paused && p.best(w) != nil }

// Take takes the task that Peek has just answered, to run it. It occupies its group, its key and its resources
// until Release or Return.
func (p *Planner) Take(t *Task, now schema.Time) {
	p.now = now
	l := t.lane
	p.gone(t)
	t.stage = taken
	l.tasks.remove(t)
	l.update()
	l.group.start(now)
	l.acquire()
}

// Release says that a task that was taken no longer runs.
func (p *Planner) Release(t *Task, now schema.Time) {
	p.now = now
	l := t.lane
	t.stage, t.lane = absent, nil
	l.release()
	l.group.end()
	if name := t.Conditions.Key; name == "" {
		// it is in nobody's way
	} else if k := p.keys[name]; k != nil && k.front == t {
		k.front = nil
		p.offer(k)
	}
	p.tidy(l)
}

// Return puts a task that was taken back in its place.
func (p *Planner) Return(t *Task, now schema.Time) {
	p.Release(t, now)
	p.Add(t, now, func(int) *Node { return nil })
}

// Pause lets no task of the planner begin until it is called with false.
func (p *Planner) Pause(paused bool) {
	if p.paused && !paused {
		p.changes.Ready++
	}
	p.paused = paused
}

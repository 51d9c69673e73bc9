package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Kind is a kind of what a task waits for.
type Kind string

// What a task waits for.
const (
	ForDependency Kind = "dependency" // the end of other tasks
	ForTime       Kind = "time"       // the time before which it must not run
	ForKey        Kind = "key"        // the task that has its key, or comes before it
	ForPaused     Kind = "paused"     // everything, or its group, is paused
	ForGroup      Kind = "group"      // a slot of its group
	ForRate       Kind = "rate"       // the rate of its group
	ForResource   Kind = "resource"   // what it needs
	ForSlot       Kind = "slot"       // nothing but its turn
)

// MaxReasonIDs is how many ids of tasks a Reason has at most.
const MaxReasonIDs = 10

// Reason is something that a task waits for. What a Kind does not need is zero.
type Reason struct {
	Kind Kind
	// IDs are the first tasks that must end, of Open in all; or the task that has the key.
	IDs   []uuid.UUID
	Open  int
	Until schema.Time // of ForTime and ForRate
	Name  string      // of the group, the key or the resource; "" is everything
	// Amount is how much the task needs, Free what is free, and Total what there is, of a
	// resource. Free and Total are also the slots of a group.
	Amount, Free, Total int64
	// Ahead is the task that waits for the resource before this one, or the zero id.
	Ahead uuid.UUID
}

// Reasons answers what a task waits for. All of it is true at the moment, and there is more
// than one reason only where each would hold the task back alone. It is nil for a task that
// does not wait.
func (p *Planner) Reasons(t *Task) []Reason {
	var all []Reason
	switch t.stage {
	case absent, taken:
		return nil
	case dependent:
		all = append(all, p.openOf(t))
	case keyed:
		all = append(all, Reason{Kind: ForKey, Name: t.Terms.Key, IDs: []uuid.UUID{p.keys[t.Terms.Key].front.ID}})
	}
	if t.Terms.NotBefore > p.now {
		all = append(all, Reason{Kind: ForTime, Until: t.Terms.NotBefore})
	}
	if p.paused {
		all = append(all, Reason{Kind: ForPaused})
	}
	if g := p.groups[t.Terms.Group]; g != nil {
		all = g.reasons(all)
	}
	if t.stage == ready {
		all = t.lane.reasons(all, t)
	}
	if len(all) == 0 {
		all = append(all, Reason{Kind: ForSlot})
	}
	return all
}

// openOf is the reason of a task that comes after others.
func (p *Planner) openOf(t *Task) Reason {
	r := Reason{Kind: ForDependency, Open: int(t.open)}
	for _, d := range t.Terms.After {
		if len(r.IDs) < MaxReasonIDs && p.HasDependents(d.ID) {
			r.IDs = append(r.IDs, d.ID)
		}
	}
	return r
}

func (g *group) reasons(all []Reason) []Reason {
	s := &g.settings
	if s.Paused {
		all = append(all, Reason{Kind: ForPaused, Name: g.name})
	}
	if s.Limit > 0 && g.running >= s.Limit {
		all = append(all, Reason{Kind: ForGroup, Name: g.name, Total: int64(s.Limit)})
	}
	if g.closing > 0 {
		all = append(all, Reason{Kind: ForRate, Name: g.name, Until: g.reopens, Total: int64(s.Rate.Count)})
	}
	return all
}

func (l *lane) reasons(all []Reason, t *Task) []Reason {
	for i := range l.berths {
		b := &l.berths[i]
		r := Reason{Kind: ForResource, Name: b.resource.name, Amount: b.amount, Total: b.resource.total, Free: b.resource.total - b.resource.used}
		for _, line := range b.resource.lines {
			if line.len() > 0 && before(line.first().lane.head(), t) {
				r.Ahead = line.first().lane.head().ID
			}
		}
		if r.Free < r.Amount || r.Ahead != uuid.Nil {
			all = append(all, r)
		}
	}
	return all
}

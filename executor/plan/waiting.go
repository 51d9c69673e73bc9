package plan

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// MaxWaitingIDs bounds the ids of tasks in a schema.Waiting.
const MaxWaitingIDs = 10

// Waiting answers everything that a task waits for at the moment. It is nil for a task that does not wait.
func (p *Planner) Waiting(t *Task) []schema.Waiting {
	var all []schema.Waiting
	switch t.stage {
	case absent, suspended, taken:
		return nil
	case dependent:
		all = append(all, waitsForOthers(t))
	case keyed:
		all = append(all, p.waitsForKey(t))
	}
	if at := t.Conditions.RunAt; at > p.now {
		w := schema.Waiting{Kind: schema.WaitsForTime, Until: at, Message: "runs at " + at.String()}
		if t.Attempt > 0 {
			w.Kind, w.Message = schema.WaitsForRetry, fmt.Sprintf("attempt %d runs at %v", t.Attempt, at)
		}
		all = append(all, w)
	}
	if p.paused {
		all = append(all, WaitsForResume())
	}
	if g := p.groups[t.Conditions.Group]; g != nil {
		all = g.waiting(all)
	}
	if t.stage == ready {
		all = t.lane.waiting(all, t)
	}
	return all
}

// WaitsForResume is what every queued task waits for while everything is paused.
func WaitsForResume() schema.Waiting {
	return schema.Waiting{Kind: schema.WaitsForResume, Message: "everything is paused"}
}

func waitsForOthers(t *Task) schema.Waiting {
	w := schema.Waiting{Kind: schema.WaitsForDependency, Count: int(t.open)}
	for e := range t.edges {
		if len(w.IDs) < MaxWaitingIDs && e.node != nil {
			w.IDs = append(w.IDs, e.node.ID)
		}
	}
	if w.Message = fmt.Sprintf("comes after %v", w.IDs[0]); w.Count > 1 {
		w.Message = fmt.Sprintf("comes after %d tasks that have not ended, %v the first of them", w.Count, w.IDs[0])
	}
	return w
}

func (p *Planner) waitsForKey(t *Task) schema.Waiting {
	front := p.keys[t.Conditions.Key].front
	does := "comes first"
	if front.stage == taken {
		does = "runs"
	}
	return schema.Waiting{
		Kind: schema.WaitsForKey, Name: t.Conditions.Key, IDs: []uuid.UUID{front.ID},
		Message: fmt.Sprintf("one task of the key %q at a time, and %v %s", t.Conditions.Key, front.ID, does),
	}
}

func (g *group) waiting(all []schema.Waiting) []schema.Waiting {
	s := &g.settings
	if s.Paused {
		all = append(all, schema.Waiting{Kind: schema.WaitsForResume, Name: g.name, Message: fmt.Sprintf("the group %q is paused", g.name)})
	}
	if s.Limit > 0 && g.running >= s.Limit {
		all = append(all, schema.Waiting{
			Kind: schema.WaitsForGroup, Name: g.name, Total: new(int64(s.Limit)),
			Message: g.tasks(g.running, "runs", "run") + ", and no more may",
		})
	}
	if g.closing > 0 {
		all = append(all, schema.Waiting{
			Kind: schema.WaitsForRate, Name: g.name, Until: g.reopens, Total: new(int64(s.Rate.Count)),
			Message: fmt.Sprintf("%s within %v, and no more may", g.tasks(s.Rate.Count, "began", "began"), s.Rate.Per),
		})
	}
	return all
}

// tasks says what so many tasks of the group do, with the verb for one and that for more.
func (g *group) tasks(n int, one, more string) string {
	if n == 1 {
		return fmt.Sprintf("1 task of the group %q %s", g.name, one)
	}
	return fmt.Sprintf("%d tasks of the group %q %s", n, g.name, more)
}

func (l *lane) waiting(all []schema.Waiting, t *Task) []schema.Waiting {
	for i := range l.berths {
		b := &l.berths[i]
		free, total := b.resource.total-b.resource.used, b.resource.total
		w := schema.Waiting{Kind: schema.WaitsForResource, Name: b.resource.name, Amount: b.amount, Free: &free, Total: &total}
		ahead := b.resource.ahead(t)
		switch {
		case total < b.amount:
			w.Message = fmt.Sprintf("needs %d of %s, and there is only %d", b.amount, b.resource.name, total)
		case free < b.amount:
			w.Message = fmt.Sprintf("needs %d of %s, and %d of %d is free", b.amount, b.resource.name, free, total)
		case ahead != nil:
			w.IDs = []uuid.UUID{ahead.ID}
			w.Message = fmt.Sprintf("needs %s, for which %v waits before it", b.resource.name, ahead.ID)
		default:
			continue
		}
		all = append(all, w)
	}
	return all
}

// ahead is the first task that waits for the resource before another one, or nil.
func (r *resource) ahead(of *Task) (first *Task) {
	for _, line := range r.lines {
		if t := line.first().lane.head(); before(t, of) && (first == nil || before(t, first)) {
			first = t
		}
	}
	return first
}

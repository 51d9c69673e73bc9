package plan

import (
	"slices"

	"github.com/jobline/jobline/schema"
)

// This file has what a planner knows and its tasks do not tell, for a snapshot. To restore a planner, call
// SetGroup, Began, SetResource and Pause, then Retake, then Add for the waiting tasks in the order of their
// numbers, and last Park.

// Starts are when the latest tasks of a group with a rate began, for Began.
func (p *Planner) Starts(name string) []schema.Time {
	g := p.groups[name]
	if g == nil {
		return nil
	}
	return append(slices.Clone(g.starts[g.oldest:]), g.starts[:g.oldest]...)
}

// OpenPlaces are the indexes in Conditions.After of the tasks that are not final, in rising order.
func (t *Task) OpenPlaces() (places []int) {
	next := 0
	for e := range t.edges {
		if e.node == nil {
			continue
		}
		at := slices.IndexFunc(t.Conditions.After[next:], func(d schema.Dependency) bool { return d.ID == e.node.ID })
		places = append(places, next+at)
		next += at + 1
	}
	return places
}

// Retake is Take for a task that was taken before this planner was made. Call it before all Add.
func (p *Planner) Retake(t *Task, now schema.Time) {
	p.now = now
	t.kind = p.kindOf(t)
	l := p.laneOf(t)
	t.stage, t.lane, t.kind = taken, l, nil
	l.group.running++
	l.group.update()
	l.acquire()
	if name := t.Conditions.Key; name != "" {
		if p.keys[name] == nil {
			p.keys[name] = &key{name: name}
		}
		p.keys[name].front = t
	}
}

// Parked are the tasks that Peek has found to be next, and that wait for a resource which other tasks leave to
// them. They are in the order in which they run. A restored planner without them would find them again, but
// perhaps later.
func (p *Planner) Parked() (all []*Task) {
	for _, l := range p.lanes {
		if l.parked {
			all = append(all, l.head())
		}
	}
	slices.SortFunc(all, func(a, b *Task) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return all
}

// Park makes a task one of Parked. It reports false if it cannot be one.
func (p *Planner) Park(t *Task) bool {
	l := t.lane
	if t.stage != ready || l.turn == 0 || l.head() != t {
		return false
	}
	l.park()
	return true
}

package plan

import (
	"slices"

	"github.com/jobline/jobline/schema"
)

// This file has what another planner needs to go on from where this one is: what the tasks themselves
// do not tell. A planner is made again by SetGroup, Began, SetResource and Pause, then Retake, then
// Add of the tasks that wait, in the order of their numbers, and Park.

// Starts are when tasks of a group began that has a rate, as Began takes them.
func (p *Planner) Starts(name string) []schema.Time {
	g := p.groups[name]
	if g == nil {
		return nil
	}
	return append(slices.Clone(g.starts[g.oldest:]), g.starts[:g.oldest]...)
}

// OpenPlaces are the places in Conditions.After of the tasks that have not ended, for which this one
// waits. They rise.
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

// Retake is Take of a task that was taken before there was this planner. It comes before all Add.
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

// Parked are the tasks that were found to be next and wait for a resource, so that others leave it to
// them, in the order in which they run. The planner finds them again, but perhaps later.
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

// Park lets a task be one of Parked. It reports false where it can be none.
func (p *Planner) Park(t *Task) bool {
	l := t.lane
	if t.stage != ready || l.turn == 0 || l.head() != t {
		return false
	}
	l.park()
	return true
}

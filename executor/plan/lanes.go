package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// laneName identifies a lane by what its tasks have in common.
type laneName struct {
	kindName
	group, needs string
}

// lane has tasks that may run if their group and their needs, which are the same for all of them, allow it. So
// only the first one needs to be looked at.
type lane struct {
	planner *Planner
	name    laneName
	group   *group
	kind    *kind
	tasks   turns
	turn    int32   // position among the lanes of its kind
	place   int     // in group.lanes
	berths  []berth // one for each need
	parked  bool    // it is in the line of each resource that it needs
	running int     // tasks that were taken and not released
}

// byHead is the order of lanes: that of their first tasks.
type byHead struct{}

func (byHead) before(a, b *lane) bool  { return before(a.head(), b.head()) }
func (byHead) position(l *lane) *int32 { return &l.turn }

func (l *lane) head() *Task { return l.tasks.first() }

// enter puts a task into its lane.
func (p *Planner) enter(t *Task) {
	l := p.laneOf(t)
	t.stage, t.lane = ready, l
	l.tasks.push(t)
	l.update()
}

// leave takes a task out of its lane.
func (p *Planner) leave(t *Task) {
	l := t.lane
	l.tasks.remove(t)
	l.update()
	t.lane = nil
	p.tidy(l)
}

// update puts the lane where it belongs, after a change of its tasks, or of what decides whether its first task
// may run.
func (l *lane) update() {
	if l.parked {
		l.unpark()
	}
	switch shown := l.turn > 0; {
	case l.tasks.len() > 0 && l.group.open() && l.possible():
		if shown {
			l.kind.lanes.fix(l)
			l.planner.changes.Ready++
		} else {
			l.show()
		}
	case shown:
		l.hide()
	}
	l.recall()
}

// show puts the lane where Peek finds it.
func (l *lane) show() {
	k := l.kind
	if k.lanes.len() == 0 {
		l.planner.display(k)
	}
	k.lanes.push(l)
	l.planner.changes.Ready++
}

// hide takes the lane away from where Peek finds it.
func (l *lane) hide() {
	k := l.kind
	if k.lanes.remove(l); k.lanes.len() == 0 {
		l.planner.conceal(k)
	}
}

func (p *Planner) laneOf(t *Task) *lane {
	names := slices.Sorted(maps.Keys(t.Conditions.Needs))
	name := laneName{t.kind.name, t.Conditions.Group, textOf(names, t.Conditions.Needs)}
	if p.latest != nil && p.latest.name == name {
		return p.latest
	}
	l := p.lanes[name]
	if l == nil {
		l = &lane{planner: p, name: name, group: p.groupOf(t.Conditions.Group), kind: t.kind}
		for _, need := range names {
			l.berths = append(l.berths, berth{lane: l, resource: p.resourceOf(need), amount: t.Conditions.Needs[need]})
		}
		l.place = len(l.group.lanes)
		l.group.lanes = append(l.group.lanes, l)
		p.lanes[name] = l
		l.kind.made++
	}
	p.latest = l
	return l
}

// textOf is a text that is equal for equal needs only.
func textOf(names []string, needs map[string]int64) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(strconv.Quote(name))
		b.WriteString(strconv.FormatInt(needs[name], 10))
	}
	return b.String()
}

// tidy drops a lane without waiting and running tasks, and its group if that is empty.
func (p *Planner) tidy(l *lane) {
	if l.tasks.len() > 0 || l.running > 0 {
		return
	}
	delete(p.lanes, l.name)
	if p.latest == l {
		p.latest = nil
	}
	g := l.group
	last := len(g.lanes) - 1
	g.lanes[l.place], g.lanes[last].place = g.lanes[last], l.place
	g.lanes[last] = nil
	g.lanes = g.lanes[:last]
	p.tidyGroup(g)
	l.kind.made--
	p.tidyKind(l.kind)
}

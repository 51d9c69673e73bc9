package plan

import "github.com/jobline/jobline/schema"

// resource is a resource with a total that tasks share.
type resource struct {
	name        string
	total, used int64
	// lines are the lanes whose first task waits for the resource, by kind: a lane of a kind that no taker
	// takes at the moment must not hold up the lanes of other kinds.
	lines map[*kind]*heap[*berth, byBerth]
}

// Resource is the total of a resource, and how much of it running tasks hold.
type Resource struct {
	Name        string
	Total, Used int64
}

// berth is the place of a lane in the line of a resource.
type berth struct {
	lane     *lane
	resource *resource
	amount   int64
	place    int32 // position in the line
}

type byBerth struct{}

func (byBerth) before(a, b *berth) bool  { return before(a.lane.head(), b.lane.head()) }
func (byBerth) position(b *berth) *int32 { return &b.place }

func (p *Planner) resourceOf(name string) *resource {
	r := p.resources[name]
	if r == nil {
		r = &resource{name: name, lines: map[*kind]*heap[*berth, byBerth]{}}
		p.resources[name] = r
	}
	return r
}

// SetResource sets the total of a resource. Running tasks keep what they hold.
func (p *Planner) SetResource(name string, total int64, now schema.Time) {
	p.now = now
	p.resourceOf(name).total = total
	for _, l := range p.lanes {
		if len(l.berths) > 0 {
			l.update()
		}
	}
}

// Resource is how much there is of a resource in all, and how much tasks have.
func (p *Planner) Resource(name string) (total, used int64) {
	if r := p.resources[name]; r != nil {
		return r.total, r.used
	}
	return 0, 0
}

// possible reports whether the totals are enough for what the lane needs.
func (l *lane) possible() bool {
	for i := range l.berths {
		if b := &l.berths[i]; b.amount > b.resource.total {
			return false
		}
	}
	return true
}

// room reports whether what the lane needs is free now.
func (l *lane) room() bool {
	for i := range l.berths {
		if b := &l.berths[i]; b.amount > b.resource.total-b.resource.used {
			return false
		}
	}
	return true
}

// fits reports whether what the first task of a lane needs is free, and no task before it waits for one of the
// same resources.
func (l *lane) fits() bool {
	if !l.room() {
		return false
	}
	for i := range l.berths {
		for _, line := range l.berths[i].resource.lines {
			if before(line.first().lane.head(), l.head()) {
				return false
			}
		}
	}
	return true
}

// park moves the lane into the lines of the resources that it needs.
func (l *lane) park() {
	l.hide()
	for i := range l.berths {
		b := &l.berths[i]
		line := b.resource.lines[l.kind]
		if line == nil {
			line = new(heap[*berth, byBerth])
			b.resource.lines[l.kind] = line
		}
		line.push(b)
	}
	l.parked = true
}

// unpark takes the lane out of the lines.
func (l *lane) unpark() {
	l.parked = false
	for i := range l.berths {
		b := &l.berths[i]
		line := b.resource.lines[l.kind]
		if line.remove(b); line.len() == 0 {
			delete(b.resource.lines, l.kind)
		}
	}
}

// recall lets the first lane of each line of each resource of this lane be found again, if
// what it needs is free.
func (l *lane) recall() {
	for i := range l.berths {
		for _, line := range l.berths[i].resource.lines {
			if first := line.first().lane; first.room() {
				first.unpark()
				first.show()
			}
		}
	}
}

func (l *lane) acquire() {
	l.running++
	for i := range l.berths {
		l.berths[i].resource.used += l.berths[i].amount
	}
}

func (l *lane) release() {
	l.running--
	for i := range l.berths {
		l.berths[i].resource.used -= l.berths[i].amount
	}
	l.recall()
}

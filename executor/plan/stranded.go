package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Stranded counts the tasks that cannot run, whatever other tasks do: everything or their group is paused, they
// need more than the total of a resource, the taker does not take them, they wait for a time after until, or
// they wait for a task that cannot run. An until of 0 is no bound. cannotRun answers that for a task that the
// planner does not have.
//
// As soon as it finds a task that may run, it may count fewer.
func (p *Planner) Stranded(until schema.Time, w Taker, cannotRun func(id uuid.UUID) bool) int {
	if p.paused {
		return p.size
	}
	s := stranding{planner: p, until: until, taker: w, found: map[*Task]bool{}, mayEnd: map[*Task]bool{}}
	if s.someMayRun() {
		return 0
	}
	s.nodes = map[uuid.UUID]*Node{}
	for n := p.nodes; n != nil; n = n.next {
		s.nodes[n.ID] = n
	}
	for _, t := range p.expiries.items {
		if until == 0 || t.Conditions.ExpiresAt <= until {
			s.ends(t)
		}
	}
	for n := p.nodes; n != nil; n = n.next {
		lost := cannotRun(n.ID)
		for t := range n.dependents() {
			if t.stage == dependent && (lost || s.stuck(t)) {
				s.add(t)
			}
		}
	}
	for _, k := range p.keys {
		for _, t := range k.waiting.items {
			if s.stuck(t) {
				s.add(t)
			}
		}
	}
	for i := 0; i < len(s.order); i++ {
		s.follow(s.order[i])
	}
	return len(s.order)
}

// stranding is one call of Stranded.
type stranding struct {
	planner *Planner
	until   schema.Time
	taker   Taker
	nodes   map[uuid.UUID]*Node // for which tasks wait
	found   map[*Task]bool
	order   []*Task
	mayEnd  map[*Task]bool     // tasks that expire until then, and those that end with them
	keys    map[string][]*Task // tasks of a key that wait for a time or for others; nil before the first use
}

func (s *stranding) add(t *Task) {
	if !s.found[t] {
		s.found[t] = true
		s.order = append(s.order, t)
	}
}

// ends notes that a task may end without having run, and with it those that come after its success.
func (s *stranding) ends(first *Task) {
	for next := []*Task{first}; len(next) > 0; {
		t := next[len(next)-1]
		next = next[:len(next)-1]
		if s.mayEnd[t] {
			continue
		}
		s.mayEnd[t] = true
		for d, on := range s.nodes[t.ID].dependents() {
			if d.stage == dependent && on == schema.OnSuccess {
				next = append(next, d)
			}
		}
	}
}

// stuck reports whether a task itself cannot run, apart from what it waits for of other tasks.
func (s *stranding) stuck(t *Task) bool {
	c := t.Conditions
	if s.until > 0 && c.RunAt > s.until || !s.taker.takes(t.kind) {
		return true
	}
	if g := s.planner.groups[c.Group]; g != nil && g.settings.Paused {
		return true
	}
	for name, amount := range c.Needs {
		if total, _ := s.planner.Resource(name); amount > total {
			return true
		}
	}
	return false
}

// someMayRun adds the stuck ones of the tasks that wait in a lane or for a time. It reports
// whether it has met one that is not, and has no key for which another may be in its way.
func (s *stranding) someMayRun() bool {
	for _, l := range s.planner.lanes {
		for t := range l.tasks.each { // those of a lane are alike
			if !s.stuck(t) {
				return true
			}
			s.add(t)
		}
	}
	for _, t := range s.planner.due.items {
		switch {
		case s.stuck(t):
			s.add(t)
		case t.Conditions.Key == "":
			return true
		}
	}
	return false
}

// follow adds the tasks that wait for a stranded one. Where that may end, it holds up only
// those that come after its success.
func (s *stranding) follow(t *Task) {
	for d, on := range s.nodes[t.ID].dependents() {
		if d.stage == dependent && (!s.mayEnd[t] || on == schema.OnSuccess) {
			s.add(d)
		}
	}
	if t.Conditions.Key == "" || s.mayEnd[t] || t.stage != keyed && t.stage != ready {
		return // it is in the way of no other task of its key
	}
	k := s.planner.keys[t.Conditions.Key]
	for _, all := range [][]*Task{k.waiting.items, s.later(k.name)} {
		for _, other := range all {
			if other.Order > t.Order {
				s.add(other)
			}
		}
	}
}

// later are the tasks of a key that wait for a time or for others, some of them twice.
func (s *stranding) later(key string) []*Task {
	if s.keys == nil {
		s.keys = map[string][]*Task{}
		note := func(t *Task) {
			if name := t.Conditions.Key; name != "" {
				s.keys[name] = append(s.keys[name], t)
			}
		}
		for _, t := range s.planner.due.items {
			note(t)
		}
		for _, n := range s.nodes {
			for t := range n.dependents() {
				if t.stage == dependent {
					note(t)
				}
			}
		}
	}
	return s.keys[key]
}

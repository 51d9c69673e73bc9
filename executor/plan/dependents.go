package plan

import (
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// dependents are the tasks that wait for the end of one, in the order in which they came. Each
// of them waits for it, perhaps suspended, or has left.
type dependents struct {
	tasks []*Task
	left  int // how many have left, at most half of them
}

// each calls yield for each task that has not left.
func (d *dependents) each(yield func(*Task) bool) {
	for _, t := range d.tasks {
		if t.follows() && !yield(t) {
			return
		}
	}
}

func (t *Task) follows() bool { return t.open > 0 }

// dependentsOf are those of a task.
func (p *Planner) dependentsOf(id uuid.UUID) iter.Seq[*Task] {
	if d := p.dependents[id]; d != nil {
		return d.each
	}
	return func(func(*Task) bool) {}
}

// follow adds a task to the dependents of one that has not ended.
func (p *Planner) follow(t *Task, id uuid.UUID) {
	d := p.dependents[id]
	if d == nil {
		d = new(dependents)
		p.dependents[id] = d
	}
	d.tasks = append(d.tasks, t)
	t.open++
}

// abandon notes that a task which has left waits for no end any more. It takes constant time
// for each task that it came after, on the average.
func (p *Planner) abandon(t *Task) {
	if t.open == 0 {
		return
	}
	t.open = 0
	for _, other := range t.Conditions.After {
		d := p.dependents[other.ID]
		if d == nil { // that one has ended
			continue
		}
		if d.left++; d.left <= len(d.tasks)/2 {
			continue
		}
		d.tasks = slices.DeleteFunc(d.tasks, func(t *Task) bool { return !t.follows() })
		if d.left = 0; len(d.tasks) == 0 {
			delete(p.dependents, other.ID)
		}
	}
}

// HasDependents reports whether tasks may wait for the end of a task.
func (p *Planner) HasDependents(id uuid.UUID) bool {
	_, found := p.dependents[id]
	return found
}

// on is how another task must end before this one.
func (t *Task) on(id uuid.UUID) schema.On {
	for _, d := range t.Conditions.After {
		if d.ID == id {
			return d.On
		}
	}
	return schema.OnFinish // no task is among the dependents of another
}

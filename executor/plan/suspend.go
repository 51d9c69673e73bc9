package plan

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Suspend takes out a waiting task that the store is about to change or end, until Remove or Resume. The
// planner still notes the ends of the tasks that it comes after. Other tasks stay as they are.
func (p *Planner) Suspend(t *Task) {
	if !t.Waits() {
		return
	}
	p.detach(t)
	t.stage = suspended
}

// Resume puts a suspended task back. It must end at once if a task that it comes after has meanwhile ended in
// another state than it must. Other tasks stay as they are.
func (p *Planner) Resume(t *Task, now schema.Time) {
	if t.stage != suspended {
		return
	}
	p.now, t.stage = now, absent
	if cause, doomed := p.ending[t.ID]; doomed {
		p.abandon(t)
		p.changes.Ending = append(p.changes.Ending, Ending{Task: t, Cause: cause})
		return
	}
	p.join(t)
}

// Defer suspends a task that must end, because the store is about to end it for another reason.
func (p *Planner) Defer(e Ending) { e.Task.stage = suspended }

// Doom makes a task that does not wait end because of the end of another one. If it is suspended, it ends when
// it is resumed.
func (p *Planner) Doom(t *Task, cause uuid.UUID) {
	if _, found := p.ending[t.ID]; !found {
		p.ending[t.ID] = cause
		p.causes[cause]++
	}
	if t.stage != suspended {
		p.changes.Ending = append(p.changes.Ending, Ending{Task: t, Cause: cause})
	}
}

// hasEnded notes that a task has ended, which perhaps had to.
func (p *Planner) hasEnded(id uuid.UUID) {
	cause, found := p.ending[id]
	if !found {
		return
	}
	delete(p.ending, id)
	if p.causes[cause]--; p.causes[cause] == 0 {
		delete(p.causes, cause)
	}
}

// Dooms reports whether tasks must still end because this one has ended, or would end, in that state. n is its
// node, or nil. A store keeps the end of a task for so long: it is the reason for theirs.
func (p *Planner) Dooms(id uuid.UUID, n *Node, as schema.State) bool {
	if p.causes[id] > 0 {
		return true
	}
	for _, on := range n.dependents() {
		if !on.Met(as) {
			return true
		}
	}
	return false
}

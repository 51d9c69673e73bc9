package plan

import (
	"iter"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Node is a task that other tasks come after, with or without conditions of its own. The store keeps one for
// each such task, from the first task that comes after it until Ended. It may be a part of a larger value, and
// must not be copied.
type Node struct {
	// ID is set before the first use.
	ID uuid.UUID

	first, last *Edge // of the tasks that wait for its end, in the order in which they came
	next, prev  *Node // neighbours among the nodes of the planner
}

// Edge is one dependency: a task that waits for the end of another one. The zero value is ready for Reserve.
type Edge struct {
	task       *Task
	node       *Node // the node that it waits for, or nil once that has ended or the task has left
	next, prev *Edge // neighbours among those of the node
	sibling    *Edge // the next one of the same task
	on         schema.On
}

// edges are those of the task, those without a node included, in the order of Conditions.After.
func (t *Task) edges(yield func(*Edge) bool) {
	for e := t.edge; e != nil && yield(e); e = e.sibling {
	}
}

// dependents are the tasks that wait for the end of one.
func (n *Node) dependents() iter.Seq2[*Task, schema.On] {
	return func(yield func(*Task, schema.On) bool) {
		if n == nil {
			return
		}
		for e := n.first; e != nil; e = e.next {
			if !yield(e.task, e.on) {
				return
			}
		}
	}
}

// Reserve gives a task that was not added yet the memory of its first Edge. Otherwise Add allocates it.
func (t *Task) Reserve(e *Edge) { t.edge = e }

// follow lets a task wait for the end of others. before answers the node of the dependency at an index of
// After, or nil if that has ended.
func (p *Planner) follow(t *Task, before func(place int) *Node) {
	var room []Edge
	next := &t.edge
	for i, d := range t.Conditions.After {
		n := before(i)
		if n == nil {
			continue
		}
		if *next == nil {
			if room == nil {
				room = make([]Edge, len(t.Conditions.After)-i)
			}
			*next, room = &room[0], room[1:]
		}
		e := *next
		e.task, e.on = t, d.On
		next = &e.sibling
		p.link(e, n)
		t.open++
	}
}

// link puts an edge behind those of a node.
func (p *Planner) link(e *Edge, n *Node) {
	if n.first == nil {
		if n.first, n.next = e, p.nodes; p.nodes != nil {
			p.nodes.prev = n
		}
		p.nodes = n
	} else {
		e.prev, n.last.next = n.last, e
	}
	e.node, n.last = n, e
}

// unlink takes an edge away from its node.
func (p *Planner) unlink(e *Edge) {
	n := e.node
	if e.prev == nil {
		n.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		n.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.node, e.next, e.prev = nil, nil, nil
	if n.first == nil {
		p.drop(n)
	}
}

// drop takes a node out of the list that no task waits for any more.
func (p *Planner) drop(n *Node) {
	if n.prev == nil {
		p.nodes = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.next, n.prev = nil, nil
}

// abandon removes the edges of a task that has left.
func (p *Planner) abandon(t *Task) {
	if t.open == 0 {
		return
	}
	t.open = 0
	for e := range t.edges {
		if e.node != nil {
			p.unlink(e)
		}
	}
}

// on is how the other task must end before this one may run.
func (t *Task) on(id uuid.UUID) schema.On {
	for _, d := range t.Conditions.After {
		if d.ID == id {
			return d.On
		}
	}
	return schema.OnFinish // it comes after no other task
}

package kit

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file writes the trees to a snapshot, and restores them.

// TreeNode is a task of a tree in a snapshot.
type TreeNode struct {
	ID       uuid.UUID
	Parent   uuid.UUID // uuid.Nil if the task is not a child
	Order    uint64    // order number, of a child
	State    schema.State
	Fraction int64
	Kept     bool
	Own      bool               // it has progress of its own
	Counts   *schema.TaskCounts // of all children so far; nil without any
	Done     int64
}

// Nodes calls yield with all tasks of the trees. The order depends on the trees alone: a parent comes before
// its children, and children come in their order. No descent may be under way.
func (t *Trees) Nodes(yield func(TreeNode) bool) {
	roots := t.Parents()
	slices.SortFunc(roots, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range roots {
		if !t.nodes[id].each(yield) {
			return
		}
	}
}

func (n *node) each(yield func(TreeNode) bool) bool {
	v := TreeNode{ID: n.id, Order: n.order, State: n.state, Fraction: n.fraction, Kept: n.kept, Own: n.own}
	if n.parent != nil {
		v.Parent = n.parent.id
	}
	if n.family == nil {
		return yield(v)
	}
	v.Counts, v.Done = &n.family.counts, n.family.done
	if !yield(v) {
		return false
	}
	for _, child := range n.family.children {
		if !child.dropped && !child.each(yield) {
			return false
		}
	}
	return true
}

// Restore adds a task of Nodes. The tasks must come in the order of Nodes.
func (t *Trees) Restore(v TreeNode) error {
	if t.nodes[v.ID] != nil {
		return fmt.Errorf("the task %v is in the trees twice", v.ID)
	}
	var p *node
	depth := 0
	if v.Parent != uuid.Nil {
		if p = t.nodes[v.Parent]; p == nil || p.family == nil || p.depth == executor.MaxDepth {
			return fmt.Errorf("the task %v cannot be a child of %v", v.ID, v.Parent)
		}
		depth = p.depth + 1
	}
	n := t.node(v.ID)
	*n = node{id: v.ID, order: v.Order, parent: p, fraction: v.Fraction, depth: depth, state: v.State, kept: v.Kept, own: v.Own}
	if v.Counts != nil {
		n.family = &family{counts: *v.Counts, done: v.Done}
		if n.family.size() <= 0 {
			return fmt.Errorf("the task %v has a number of children below 1", v.ID)
		}
	}
	if p == nil {
		return nil
	}
	if all := p.family.children; len(all) > 0 && all[len(all)-1].order >= v.Order {
		return fmt.Errorf("the task %v is among the children of %v in a wrong place", v.ID, v.Parent)
	}
	p.family.children = append(p.family.children, n)
	if !n.kept {
		t.lost++
	}
	return nil
}

// UntoldOnes are the tasks that TakeChanged would look at, in order. uuid.Nil stands for a task that is no
// longer in the trees.
func (t *Trees) UntoldOnes() []uuid.UUID {
	ids := make([]uuid.UUID, len(t.changed))
	for i, n := range t.changed {
		if !n.dropped {
			ids[i] = n.id
		}
	}
	return ids
}

// RestoreUntold adds an id of UntoldOnes, in the same order.
func (t *Trees) RestoreUntold(id uuid.UUID) error {
	n := &node{state: schema.Cancelled, dropped: true}
	if id != uuid.Nil {
		if n = t.nodes[id]; n == nil || n.untold {
			return fmt.Errorf("the task %v has progress to tell, and is in no tree, or has it twice", id)
		}
	}
	n.untold = true
	if t.changed = append(t.changed, n); len(t.changed) == 1 && t.Changed != nil {
		t.Changed()
	}
	return nil
}

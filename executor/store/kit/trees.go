package kit

import (
	"slices"
	"sort"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Trees knows which tasks are children of others. Operations take constant time on average, but for changes
// that go up to the tasks above. It has memory for each child that the store keeps, and for the parents of
// those. The store's lock protects it. The zero value is ready.
type Trees struct {
	// Changed is called when TakeChanged gets its first task. It must not block. While it is nil, no progress
	// is noted.
	Changed func()
	nodes   map[uuid.UUID]*node
	changed []*node // the nodes with untold set
	lost    int     // how many children are not kept themselves, but have kept ones below them
}

// node is a task that is a child, or has children.
type node struct {
	id       uuid.UUID
	order    uint64  // order number, of a child
	parent   *node   // nil if it is not a child
	family   *family // nil without children
	fraction int64   // how far it has come, from 0 to whole; it never falls
	depth    int     // how many tasks are above it
	state    schema.State
	kept     bool                   // it is a child, and the store keeps it
	cancel   *executor.Cancellation // the cancel of the tasks below, during a Descent from here
	own      bool                   // it has progress of its own
	untold   bool                   // in Trees.changed
	dropped  bool                   // it is no longer in Trees.nodes
}

// whole is the fraction of a task that has ended.
const whole = 1_000_000

// family is the children of a task.
type family struct {
	children []*node // by their order; some may be dropped
	dropped  int
	counts   schema.TaskCounts // of all that there have been
	done     int64             // the fractions of all that there have been
}

// size is how many children there have been.
func (f *family) size() int64 {
	c := &f.counts
	return c.Queued + c.Running + c.Completed + c.Failed + c.Cancelled
}

// Has reports whether a task is a child that is kept, or has tasks below it that are. A new task must not have
// such an id, even if the store has forgotten that task: the new one would be the parent of its children, and
// could be its own descendant.
func (t *Trees) Has(id uuid.UUID) bool { return t.nodes[id] != nil }

// Depth is how many tasks are above a task.
func (t *Trees) Depth(id uuid.UUID) int {
	if n := t.nodes[id]; n != nil {
		return n.depth
	}
	return 0
}

// Admits says why a task at this depth can have no more children, or nil. more is how many children it has that
// were not added yet.
func (t *Trees) Admits(parent uuid.UUID, depth, more int) error {
	if depth >= executor.MaxDepth {
		return executor.DeepParent(parent)
	}
	open := int64(more)
	if n := t.nodes[parent]; n != nil && n.family != nil {
		open += n.family.counts.Queued + n.family.counts.Running
	}
	if open >= executor.MaxChildren {
		return executor.TooManyChildren(parent)
	}
	return nil
}

// Add adds a queued task, if it is a child. Children must be added in their order.
func (t *Trees) Add(c *schema.Conditions, id uuid.UUID, order uint64) {
	parent := executor.ParentOf(c)
	if parent == uuid.Nil {
		return
	}
	p, n := t.node(parent), t.node(id)
	if n.family != nil && p.under(n) { // older versions allowed such a cycle
		return
	}
	if p.family == nil {
		p.family = new(family)
	}
	p.family.children = append(p.family.children, n)
	p.family.counts.Queued++
	t.touch(p)
	n.order, n.parent, n.depth, n.kept, n.state = order, p, p.depth+1, true, schema.Queued
}

// under reports whether a task is another one, or below it.
func (n *node) under(top *node) bool {
	for ; n != nil; n = n.parent {
		if n == top {
			return true
		}
	}
	return false
}

// node is the node of a task. It makes one if there is none.
func (t *Trees) node(id uuid.UUID) *node {
	n := t.nodes[id]
	if n == nil {
		if t.nodes == nil {
			t.nodes = map[uuid.UUID]*node{}
		}
		n = &node{id: id}
		t.nodes[id] = n
	}
	return n
}

// Move notes that a task is in another state, which is not final.
func (t *Trees) Move(c *schema.Conditions, id uuid.UUID, to schema.State) {
	if executor.ParentOf(c) == uuid.Nil {
		return
	}
	if n := t.nodes[id]; n != nil {
		n.move(to)
	}
}

func (n *node) move(to schema.State) {
	if n.parent != nil {
		counts := &n.parent.family.counts
		*counts.Of(n.state)--
		*counts.Of(to)++
	}
	n.state = to
}

// End notes that a task is final. It does nothing if it was already.
func (t *Trees) End(id uuid.UUID, as schema.State) {
	n := t.nodes[id]
	if n == nil || n.state.Final() {
		return
	}
	t.raise(n, whole)
	n.move(as)
	t.tidy(n)
}

// Forget notes that a final task is no longer kept.
func (t *Trees) Forget(id uuid.UUID) {
	if n := t.nodes[id]; n != nil {
		if n.kept {
			n.kept = false
			t.lost++
		}
		t.tidy(n)
	}
}

// tidy drops a node, and those above it, that are no longer needed.
func (t *Trees) tidy(n *node) {
	for n != nil && !n.kept && n.state.Final() && (n.family == nil || len(n.family.children) == n.family.dropped) {
		delete(t.nodes, n.id)
		n.dropped = true
		p := n.parent
		if p == nil {
			return
		}
		t.lost--
		f := p.family
		if f.dropped++; 2*f.dropped > len(f.children) {
			f.children = slices.DeleteFunc(f.children, func(c *node) bool { return c.dropped })
			f.dropped = 0
		}
		n = p
	}
}

// Counts counts the children of a task by state. It is nil without children.
func (t *Trees) Counts(id uuid.UUID) *schema.TaskCounts {
	if n := t.nodes[id]; n != nil && n.family != nil {
		return new(n.family.counts)
	}
	return nil
}

// EachChild calls f for each kept child of a task until it answers false: with oldest in rising order after
// from, and else in falling order before from.
func (t *Trees) EachChild(parent uuid.UUID, from uint64, oldest bool, f func(id uuid.UUID, order uint64) bool) {
	n := t.nodes[parent]
	if n == nil || n.family == nil {
		return
	}
	all := n.family.children
	step := -1
	i := sort.Search(len(all), func(i int) bool { return all[i].order >= from }) - 1
	if oldest {
		step = 1
		i = sort.Search(len(all), func(i int) bool { return all[i].order > from })
	}
	for ; i >= 0 && i < len(all); i += step {
		if all[i].kept && !f(all[i].id, all[i].order) {
			return
		}
	}
}

// Parents answers the tasks that have children and are not children themselves.
func (t *Trees) Parents() (ids []uuid.UUID) {
	for id, n := range t.nodes {
		if n.parent == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

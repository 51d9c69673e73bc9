package kit

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file has the progress of a task that has none of its own: that of its children.

// ProgressUnit is the unit of such progress.
const ProgressUnit = "tasks"

// Progressed says that a task has progress of its own.
func (t *Trees) Progressed(id uuid.UUID, p *schema.Progress) {
	n := t.nodes[id]
	if n == nil {
		return
	}
	n.own = true
	if p.Total > 0 {
		t.raise(n, int64(whole*min(max(p.Value/p.Total, 0), 1)))
	}
}

// Again says that an attempt of a task has ended that another one follows: the next one begins
// without progress.
func (t *Trees) Again(id uuid.UUID) {
	if n := t.nodes[id]; n != nil {
		n.own = false
	}
}

// raise notes how far a task has come as a part of its parent, and so on up the tree.
func (t *Trees) raise(n *node, to int64) {
	for to > n.fraction {
		by := to - n.fraction
		n.fraction = to
		p := n.parent
		if p == nil {
			return
		}
		p.family.done += by
		t.touch(p)
		if p.own || p.state.Final() {
			return
		}
		n, to = p, p.family.done/p.family.size()
	}
}

// Progress is that of a running task which has told none: how many of its children have ended,
// where one that has come half way counts as a half. It is nil where it has no children. Its
// value never falls; its total rises with each child.
func (t *Trees) Progress(id uuid.UUID) *schema.Progress {
	n := t.nodes[id]
	if n == nil || n.family == nil {
		return nil
	}
	return &schema.Progress{Value: float64(n.family.done) / whole, Total: float64(n.family.size()), Unit: ProgressUnit}
}

// mostChanged is how many tasks TakeChanged answers at most, so that nobody is held up, and the
// rate of such events is bounded.
const mostChanged = 256

// touch notes that there is progress to tell.
func (t *Trees) touch(n *node) {
	if t.Changed == nil || n.untold || n.own || n.state.Final() {
		return
	}
	n.untold = true
	t.changed = append(t.changed, n)
	if len(t.changed) == 1 {
		t.Changed()
	}
}

// Began says that watchers have been told the start of a task: from now on they can be told
// progress.
func (t *Trees) Began(id uuid.UUID) {
	if n := t.nodes[id]; n != nil && n.family != nil {
		t.touch(n)
	}
}

// Untold reports whether TakeChanged may have something to answer.
func (t *Trees) Untold() bool { return len(t.changed) > 0 }

// TakeChanged answers tasks whose progress by their children has changed since they were answered
// before, in the order of the changes, and whether there are more.
func (t *Trees) TakeChanged() (ids []uuid.UUID, more bool) {
	n := min(len(t.changed), mostChanged)
	for _, n := range t.changed[:n] {
		n.untold = false
		if !n.own && !n.state.Final() {
			ids = append(ids, n.id)
		}
	}
	t.changed = slices.Delete(t.changed, 0, n)
	return ids, len(t.changed) > 0
}

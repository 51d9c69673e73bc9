package kit

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file has the progress of tasks that report none of their own: it follows from their children.

// ProgressUnit is the unit of such progress.
const ProgressUnit = "tasks"

// Progressed notes that a task has reported progress of its own.
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

// Again notes that a task will have another attempt, which begins without progress.
func (t *Trees) Again(id uuid.UUID) {
	if n := t.nodes[id]; n != nil {
		n.own = false
	}
}

// raise notes how far a task has come, and updates the tasks above it.
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

// Progress is the progress of a running task that has reported none: how many of its children have ended, with
// a child that is half done counted as a half. It is nil without children. Its value never falls, and its total
// rises with each child.
func (t *Trees) Progress(id uuid.UUID) *schema.Progress {
	n := t.nodes[id]
	if n == nil || n.family == nil {
		return nil
	}
	return &schema.Progress{Value: float64(n.family.done) / whole, Total: float64(n.family.size()), Unit: ProgressUnit}
}

// maxChanged bounds the answer of TakeChanged, so that the lock is held for a short time, and the rate of such
// events is bounded.
const maxChanged = 256

// touch notes that the progress of a task has changed.
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

// Began notes that the start of a task was published: from now on its progress can be.
func (t *Trees) Began(id uuid.UUID) {
	if n := t.nodes[id]; n != nil && n.family != nil {
		t.touch(n)
	}
}

// Untold reports whether TakeChanged may have an answer.
func (t *Trees) Untold() bool { return len(t.changed) > 0 }

// TakeChanged answers tasks whose progress by their children has changed since the last call, in the order of
// the changes, and whether there are more.
func (t *Trees) TakeChanged() (ids []uuid.UUID, more bool) {
	n := min(len(t.changed), maxChanged)
	for _, n := range t.changed[:n] {
		n.untold = false
		if !n.own && !n.state.Final() {
			ids = append(ids, n.id)
		}
	}
	t.changed = slices.Delete(t.changed, 0, n)
	return ids, len(t.changed) > 0
}

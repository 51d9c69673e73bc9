package kit

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// Descent is a cancel on its way down a tree. It is done in pieces: Trees.Descend, Trees.Next again and again,
// Trees.Arrive.
type Descent struct {
	// From is the task at the top, which is cancelled itself.
	From uuid.UUID
	// Cancel is the cancellation of the tasks below From.
	Cancel executor.Cancellation
	// path has the parents whose children are being cancelled, the lowest last, each with the order number of
	// its last child that was cancelled.
	path []executor.TreeStage
}

// DescentPiece is how many tasks are visited in one piece, before others can have the store's lock.
const DescentPiece = 256

// Descend begins to cancel the tasks below one that is cancelled. It answers nil if there are none. Arrive ends
// the descent.
func (t *Trees) Descend(from uuid.UUID, c executor.Cancellation) *Descent {
	n := t.nodes[from]
	if n == nil || n.family == nil {
		return nil
	}
	n.cancel = new(CancelBelow(from, c))
	return &Descent{From: from, Cancel: *n.cancel, path: []executor.TreeStage{{Parent: from}}}
}

// Arrive ends a descent.
func (t *Trees) Arrive(from uuid.UUID) {
	if n := t.nodes[from]; n != nil {
		n.cancel = nil
	}
}

// CancelOf is the cancel that is on its way down to a task from a task above it, or nil.
func (t *Trees) CancelOf(id uuid.UUID) *executor.Cancellation {
	n := t.nodes[id]
	if n == nil {
		return nil
	}
	for n = n.parent; n != nil; n = n.parent {
		if n.cancel != nil {
			return n.cancel
		}
	}
	return nil
}

// Clone is an independent descent at the same place.
func (d *Descent) Clone() *Descent {
	return &Descent{From: d.From, Cancel: d.Cancel, path: slices.Clone(d.path)}
}

// Under reports whether a task has children, and is one of tops or below one of them.
func (t *Trees) Under(id uuid.UUID, tops map[uuid.UUID]int) bool {
	n := t.nodes[id]
	if n == nil || n.family == nil {
		return false
	}
	for ; n != nil; n = n.parent {
		if tops[n.id] > 0 {
			return true
		}
	}
	return false
}

// CancelBelow is the cancellation of the tasks below a task that is cancelled with c.
func CancelBelow(id uuid.UUID, c executor.Cancellation) executor.Cancellation {
	reason := "with " + id.String()
	if c.Reason != "" {
		reason += ": " + c.Reason
	}
	return executor.Cancellation{Reason: reason, Force: c.Force}
}

// Next answers the next tasks of the descent that are not final, and whether there may be more. A task comes
// before those below it. The caller cancels them before it releases the lock: a cancelled task gets no more
// children.
func (t *Trees) Next(d *Descent) (ids []uuid.UUID, more bool) {
	for left := DescentPiece; len(d.path) > 0; {
		at := &d.path[len(d.path)-1]
		child := t.childAfter(at)
		if child == nil {
			d.path = d.path[:len(d.path)-1]
			continue
		}
		if left == 0 {
			return ids, true
		}
		left--
		at.Behind = child.order
		if !child.state.Final() {
			ids = append(ids, child.id)
		}
		if child.family != nil {
			d.path = append(d.path, executor.TreeStage{Parent: child.id})
		}
	}
	return ids, false
}

// Walk is Store.OpenBelow of a store with this lock, which it takes for each piece. The lock protects closed.
func (t *Trees) Walk(ctx context.Context, w *executor.TreeWalk, lock sync.Locker, closed *bool) (open uuid.UUID, err error) {
	for more := true; more && err == nil; err = context.Cause(ctx) {
		lock.Lock()
		if *closed {
			lock.Unlock()
			return uuid.Nil, executor.ErrClosed
		}
		open, more = t.OpenBelow(w)
		lock.Unlock()
	}
	return open, err
}

// OpenBelow continues a walk to the next task that is not final, and answers it, or uuid.Nil at the end. more
// says that the piece was over before it found one.
func (t *Trees) OpenBelow(w *executor.TreeWalk) (open uuid.UUID, more bool) {
	for left := DescentPiece; len(w.Path) > 0; left-- {
		at := &w.Path[len(w.Path)-1]
		child := t.childAfter(at)
		switch {
		case child == nil:
			w.Path = w.Path[:len(w.Path)-1]
			continue
		case left <= 0:
			return uuid.Nil, true
		case !child.state.Final():
			return child.id, false
		}
		at.Behind = child.order
		if child.family != nil {
			w.Path = append(w.Path, executor.TreeStage{Parent: child.id})
		}
	}
	return uuid.Nil, false
}

// childAfter is the next child of a stage, or nil.
func (t *Trees) childAfter(at *executor.TreeStage) *node {
	n := t.nodes[at.Parent]
	if n == nil || n.family == nil {
		return nil
	}
	all := n.family.children
	i := sort.Search(len(all), func(i int) bool { return all[i].order > at.Behind })
	for i < len(all) && all[i].dropped {
		i++
	}
	if i == len(all) {
		return nil
	}
	return all[i]
}

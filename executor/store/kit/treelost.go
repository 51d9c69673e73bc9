package kit

import "github.com/google/uuid"

// The bounds of a look for lost tasks.
const (
	lostLooked = 4096 // tasks that are looked at
	lostFound  = 256  // tasks that are found
)

// LostBelow answers open tasks below one that a later process could not find from there, because a task in
// between is no longer kept. It answers the topmost of each branch, within the bounds above.
func (t *Trees) LostBelow(from uuid.UUID) (ids []uuid.UUID) {
	if n := t.nodes[from]; t.lost > 0 && n != nil {
		look := lostLook{left: lostLooked}
		look.below(n, false)
		ids = look.found
	}
	return ids
}

type lostLook struct {
	left  int
	found []uuid.UUID
}

// below visits the tasks below n. lost says that a task above them is no longer kept.
func (l *lostLook) below(n *node, lost bool) {
	if n.family == nil {
		return
	}
	for _, child := range n.family.children {
		if l.left == 0 || len(l.found) == lostFound {
			return
		}
		l.left--
		switch open := !child.state.Final(); {
		case child.dropped:
		case open && lost: // from those below it the next process finds it, and that it was cancelled
			l.found = append(l.found, child.id)
		default:
			l.below(child, lost || !child.kept)
		}
	}
}

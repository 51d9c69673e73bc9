package rpc

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// This file has the waits for trees: for tasks, and all tasks below them.

// treeWeight is how many ids each id of a wait for trees counts as: the path of its walk can be as long as a
// tree is deep.
const treeWeight = 32

// treeWait is a wait for the tasks below one of the wait's tasks, which is final. It follows one task at a
// time, so that it is small however large the tree is.
type treeWait struct {
	wait *wait
	top  uuid.UUID
	walk *executor.TreeWalk
	at   uuid.UUID // the task whose end it waits for, or uuid.Nil
}

// weight is how many ids each id of a wait counts as.
func (w *wait) weight() int {
	if w.tree {
		return treeWeight
	}
	return 1
}

// descend begins to wait for the tasks below a final task of a wait.
func (ws *waits) descend(ctx context.Context, s *session, w *wait, id uuid.UUID) error {
	if !w.tree {
		return nil
	}
	if w.trees == nil {
		w.trees = map[uuid.UUID]*treeWait{}
	}
	t := &treeWait{wait: w, top: id, walk: executor.WalkBelow(id)}
	w.trees[id] = t
	return ws.goOn(ctx, s, t)
}

// goOn follows the next task below one that is not final. It reads the task again after it follows it, so that
// no end is missed in between.
func (ws *waits) goOn(ctx context.Context, s *session, t *treeWait) error {
	for {
		open, err := s.executor.OpenBelow(ctx, t.walk)
		switch {
		case err != nil:
			return err
		case open == uuid.Nil:
			ws.leavePart(s, t)
			delete(t.wait.trees, t.top)
			return nil
		case open == t.at:
			return nil
		}
		ws.leavePart(s, t)
		if len(ws.byPart[open]) == 0 {
			if err := s.watcher.Follow(ctx, open, finishedOnly); err != nil {
				return err
			}
		}
		ws.byPart[open] = append(ws.byPart[open], t)
		t.at = open
	}
}

// leavePart stops following the task that a treeWait is at.
func (ws *waits) leavePart(s *session, t *treeWait) {
	rest := slices.DeleteFunc(ws.byPart[t.at], func(o *treeWait) bool { return o == t })
	switch {
	case t.at == uuid.Nil:
		return
	case len(rest) > 0:
		ws.byPart[t.at] = rest
	default:
		delete(ws.byPart, t.at)
		s.watcher.Unfollow(t.at, finishedOnly)
	}
	t.at = uuid.Nil
}

// partFinished handles the end of a task for the treeWaits that are at it.
func (ws *waits) partFinished(ctx context.Context, s *session, id uuid.UUID) {
	waiting := ws.byPart[id]
	if len(waiting) == 0 {
		return
	}
	delete(ws.byPart, id)
	s.watcher.Unfollow(id, finishedOnly)
	for _, t := range waiting {
		t.at = uuid.Nil
	}
	for _, t := range waiting {
		if _, pending := ws.pending[t.wait]; pending { // it may have ended by an error of another of its trees
			ws.step(ctx, s, t.wait, ws.goOn(ctx, s, t))
		}
	}
}

// step looks whether a wait has ended by the end of one of its tasks; err is why it cannot go on.
// Behind that task others may have ended whose ends are not sent yet, so a wait for trees is
// answered behind these.
func (ws *waits) step(ctx context.Context, s *session, w *wait, err error) {
	switch _, pending := ws.pending[w]; {
	case !pending:
	case err != nil:
		ws.drop(s, w).fail(err)
	case !w.tree || w.size > maxWaitResults:
		ws.check(s, w)
	case w.done():
		s.afterEvents(ctx, func() { ws.check(s, w) })
	}
}

// dropTrees drops the treeWaits of a wait.
func (ws *waits) dropTrees(s *session, w *wait) {
	for _, t := range w.trees {
		ws.leavePart(s, t)
	}
	w.trees = nil
}

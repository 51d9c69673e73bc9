package rpc

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// DefaultMaxWaits bounds the pending wait requests of a connection.
	DefaultMaxWaits = 1024
	// maxWaitIDs bounds the ids of all pending waits of a connection together. Each takes about 85 bytes, and
	// has to be visited when its wait ends early.
	maxWaitIDs = 100_000
	// maxWaitResults bounds the results in the answer of one wait, in bytes.
	maxWaitResults = 64 << 20
)

// waits are the pending wait requests of a connection. They are found by task, so
// that the end of a task costs time only for the waits for that task. The session's
// mu protects them.
type waits struct {
	pending map[*wait]struct{}
	byTask  map[uuid.UUID][]*wait     // the waits for a task that has not ended
	byPart  map[uuid.UUID][]*treeWait // the waits for a tree that have come to a task
	final   map[uuid.UUID]*final      // ended tasks of pending waits
	over    []*wait                   // waits that the pump is to answer, in this order
	ids     int                       // the number of ids of all pending waits
}

// wait is one pending request.
type wait struct {
	to       responder
	ids      []uuid.UUID
	any      bool
	missing  map[uuid.UUID]struct{}  // tasks that are not final yet
	tree     bool                    // the wait is also for all tasks below
	trees    map[uuid.UUID]*treeWait // by final task: the wait for the tasks below it
	size     int                     // bytes of the results of the final tasks
	begun    bool                    // the ends of the tasks that were final at its beginning are sent
	unsent   map[uuid.UUID]struct{}  // final tasks whose ends are to be sent before the answer
	over     bool                    // it is to be answered, now or when unsent is empty
	timedOut bool
	timer    *time.Timer
	cost     int64 // of the budget
}

// final is a final task that pending waits are to be answered with.
type final struct {
	task  *schema.Task
	waits int
	cost  int64 // of the budget
}

func newWaits() waits {
	return waits{pending: map[*wait]struct{}{}, byTask: map[uuid.UUID][]*wait{}, byPart: map[uuid.UUID][]*treeWait{}, final: map[uuid.UUID]*final{}}
}

// finishedOnly are the events for which a wait follows its tasks.
const finishedOnly = executor.EventMask(1 << executor.EventFinished)

// wait begins a wait request. The pump answers it, even if all tasks are final already: so every task/finished
// is sent before the answer.
func (s *session) wait(ctx context.Context, p *schema.WaitParams, to responder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := unique(p.IDs)
	w := &wait{
		any: p.Until == schema.UntilAny, tree: p.Tree, missing: map[uuid.UUID]struct{}{}, unsent: map[uuid.UUID]struct{}{},
	}
	cost, e := s.admitWait(to, len(ids)*w.weight())
	if e != nil {
		to.fail(e)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	w.to, w.cost = to, cost
	if err := s.follow(ctx, w, ids); err != nil {
		s.waits.drop(s, w).fail(err)
		return
	}
	s.waits.pending[w] = struct{}{}
	s.afterEvents(ctx, func() {
		w.begun = true
		s.waits.check(s, w)
	})
	if p.TimeoutMs != nil {
		w.timer = time.AfterFunc(time.Duration(*p.TimeoutMs)*time.Millisecond, func() { s.timedOut(ctx, w) })
	}
}

// admitWait counts one more wait for so many tasks, or says why it is refused. The caller
// holds mu.
func (s *session) admitWait(to responder, ids int) (cost int64, e *wire.Error) {
	switch {
	case len(s.waits.pending) >= s.options.MaxWaits:
		e = wire.NewError(schema.CodeQueueFull, "%d wait requests are pending on this connection, the limit is %[1]d; end some with $/cancelRequest, or raise --max-waits", s.options.MaxWaits)
		e.Data.Limit = int64(s.options.MaxWaits)
	case s.waits.ids+ids > maxWaitIDs:
		e = wire.NewError(schema.CodeQueueFull, "the wait requests that are pending on this connection have %d ids, with %d more the limit of %d is passed; end some with $/cancelRequest, or subscribe", s.waits.ids, ids, maxWaitIDs)
		e.Data.Limit = maxWaitIDs
	default:
		return s.admit(to)
	}
	return 0, e
}

// unique removes repeated ids.
func unique(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(ids))
	return slices.DeleteFunc(ids, func(id uuid.UUID) bool {
		twice := seen[id]
		seen[id] = true
		return twice
	})
}

// follow begins to follow each task of a wait, and then looks at it, so that no end
// is missed between the two.
func (s *session) follow(ctx context.Context, w *wait, ids []uuid.UUID) error {
	for _, id := range ids {
		w.ids = append(w.ids, id)
		s.waits.ids += w.weight()
		w.missing[id] = struct{}{}
		if len(s.waits.byTask[id]) == 0 {
			if err := s.watcher.Follow(ctx, id, finishedOnly); err != nil {
				return err
			}
		}
		s.waits.byTask[id] = append(s.waits.byTask[id], w)
		task, err := s.executor.Task(ctx, id)
		if err != nil {
			return taskError(err, id)
		}
		if task.State.Final() {
			task.Input = nil
			s.waits.forget(s, w, id)
			if err := s.waits.arrived(ctx, s, w, &task); err != nil {
				return err
			}
		}
	}
	return nil
}

// finished handles the end of a task for the waits for it.
func (ws *waits) finished(ctx context.Context, s *session, task *schema.Task) {
	ws.partFinished(ctx, s, task.ID)
	waiting := ws.byTask[task.ID]
	if len(waiting) == 0 {
		return
	}
	delete(ws.byTask, task.ID)
	s.watcher.Unfollow(task.ID, finishedOnly)
	for _, w := range waiting {
		ws.step(ctx, s, w, ws.arrived(ctx, s, w, task))
		if _, last := w.unsent[task.ID]; last {
			if delete(w.unsent, task.ID); len(w.unsent) == 0 {
				ws.over = append(ws.over, w)
			}
		}
	}
}

// arrived notes a final task of a wait, and goes on to what is below it. Where the budget has
// no room for its result, the result is read again for the answer.
func (ws *waits) arrived(ctx context.Context, s *session, w *wait, task *schema.Task) error {
	f := ws.final[task.ID]
	if f == nil {
		f = &final{task: task, cost: kit.EndSize(task)}
		if !s.budget.reserve(f.cost) {
			f.task = kit.Brief(task)
			f.cost = kit.EndSize(f.task)
			s.budget.charge(f.cost)
		}
		ws.final[task.ID] = f
	}
	f.waits++
	w.size += len(task.Result)
	delete(w.missing, task.ID)
	return ws.descend(ctx, s, w, task.ID)
}

// forget removes a wait from the waits for a task.
func (ws *waits) forget(s *session, w *wait, id uuid.UUID) {
	rest := slices.DeleteFunc(ws.byTask[id], func(o *wait) bool { return o == w })
	if len(rest) > 0 {
		ws.byTask[id] = rest
		return
	}
	delete(ws.byTask, id)
	s.watcher.Unfollow(id, finishedOnly)
}

// check ends a wait that is complete, or whose results are too large. It does nothing before the wait has
// begun: until then the end of one of its tasks may not be sent yet.
func (ws *waits) check(s *session, w *wait) {
	if _, pending := ws.pending[w]; !pending || w.over || !w.begun {
		return
	}
	if w.size > maxWaitResults {
		ws.drop(s, w).fail(resultsTooLarge())
		return
	}
	if w.done() {
		ws.end(w, false)
	}
}

// done reports whether a wait is complete.
func (w *wait) done() bool {
	left := len(w.missing) + len(w.trees)
	return left == 0 || w.any && left < len(w.ids)
}

func resultsTooLarge() *wire.Error {
	e := wire.NewError(schema.CodeTooLarge, "the results of the tasks are longer than %d bytes; wait for fewer tasks at once, or read each with status", maxWaitResults)
	e.Data.Limit = maxWaitResults
	return e
}

// end lets the pump answer a wait; one task can end very many waits at once.
func (ws *waits) end(w *wait, timedOut bool) {
	w.over, w.timedOut = true, timedOut
	ws.over = append(ws.over, w)
}

// timedOut ends a wait by its time-out, unless an event that has already happened ends it.
func (s *session) timedOut(ctx context.Context, w *wait) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterEvents(ctx, func() {
		if _, pending := s.waits.pending[w]; pending && !w.over {
			s.waits.end(w, true)
		}
	})
}

// answerWaits answers the waits that are over, one after the other, and waits for
// room between them. The caller holds mu.
func (s *session) answerWaits(ctx context.Context) error {
	for {
		if err := s.awaitRoomAfterBurst(ctx); err != nil || len(s.waits.over) == 0 {
			return err
		}
		w := s.waits.over[0]
		s.waits.over = s.waits.over[1:]
		if _, pending := s.waits.pending[w]; pending {
			s.answer(ctx, w)
		}
	}
}

// answer answers a wait with its tasks as they are now. Where the ends of some are
// not sent yet, the answer comes after them.
func (s *session) answer(ctx context.Context, w *wait) {
	tasks, err := s.waited(ctx, w)
	switch {
	case err != nil:
		s.waits.drop(s, w).fail(err)
	case len(w.unsent) == 0:
		timedOut := w.timedOut && !w.done()
		s.waits.drop(s, w).result(func(b []byte) []byte {
			before := len(b)
			b = appendWaited(b, tasks, timedOut)
			s.sent += len(b) - before
			return b
		})
	}
}

// waited are the tasks of a wait as they are now. It notes in unsent the tasks whose
// ends are not sent yet, also one that ended and is no longer kept.
func (s *session) waited(ctx context.Context, w *wait) ([]*schema.Task, error) {
	tasks, size := make([]*schema.Task, len(w.ids)), 0
	for i, id := range w.ids {
		if _, missing := w.missing[id]; !missing {
			tasks[i] = s.restoreResult(ctx, s.waits.final[id].task)
		} else {
			task, err := s.executor.Task(ctx, id)
			if err != nil && !errors.Is(err, executor.ErrNotFound) {
				return nil, taskError(err, id)
			}
			if err != nil || task.State.Final() {
				w.unsent[id] = struct{}{}
			}
			tasks[i] = &task
		}
		if size += len(tasks[i].Result); size > maxWaitResults { // tasks may have ended since the wait was over
			return nil, resultsTooLarge()
		}
	}
	return tasks, nil
}

// drop removes a wait, and answers its responder. The barrier of the wait may not be
// reached yet; it keeps none of the wait's memory.
func (ws *waits) drop(s *session, w *wait) (to responder) {
	delete(ws.pending, w)
	s.budget.release(w.cost)
	ws.ids -= len(w.ids) * w.weight()
	if w.timer != nil {
		w.timer.Stop()
	}
	ws.dropTrees(s, w)
	for _, id := range w.ids {
		if _, missing := w.missing[id]; missing {
			ws.forget(s, w, id)
			continue
		}
		f := ws.final[id]
		if f.waits--; f.waits == 0 {
			s.budget.release(f.cost)
			delete(ws.final, id)
		}
	}
	to = w.to
	w.to, w.ids, w.missing, w.unsent = responder{}, nil, nil, nil
	return to
}

// cancelRequest ends the pending wait that has the request id.
func (s *session) cancelRequest(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waits.pending {
		if w.to.id != nil && bytes.Equal(w.to.id, id) {
			s.waits.drop(s, w).fail(wire.NewError(schema.CodeRequestCancelled, "the request was cancelled"))
			return
		}
	}
}

// failAll ends every wait with an error.
func (ws *waits) failAll(s *session, err error) {
	for w := range ws.pending {
		ws.drop(s, w).fail(err)
	}
}

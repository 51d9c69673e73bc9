package rpc

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// DefaultMaxWaits bounds the pending wait requests of a connection.
const DefaultMaxWaits = 1024

// waits are the pending wait requests of a connection, found by the tasks
// they wait for, so that a task that ends costs only those that wait for it.
// The session's mu protects them.
type waits struct {
	pending map[*wait]struct{}
	byTask  map[uuid.UUID][]*wait
}

// wait is one pending request.
type wait struct {
	to      responder
	ids     []uuid.UUID
	any     bool
	missing map[uuid.UUID]struct{} // not final yet
	final   map[uuid.UUID]*schema.Task
	timer   *time.Timer
}

func newWaits() waits {
	return waits{pending: map[*wait]struct{}{}, byTask: map[uuid.UUID][]*wait{}}
}

// finishedOnly is what a wait follows its tasks for.
const finishedOnly = executor.EventMask(1 << executor.EventFinished)

// wait begins a wait request. Its answer comes from the pump, even where all
// tasks are final already: so task/finished is sent before it.
func (s *session) wait(ctx context.Context, p *schema.WaitParams, to responder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits.pending) >= s.options.MaxWaits {
		e := newError(schema.CodeQueueFull, "%d wait requests are pending on this connection, the limit is %[1]d; end some with $/cancelRequest, or raise --max-waits", s.options.MaxWaits)
		e.Data.Limit = int64(s.options.MaxWaits)
		to.fail(e)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	w := &wait{to: to, ids: unique(p.IDs), any: p.Until == schema.UntilAny, missing: map[uuid.UUID]struct{}{}, final: map[uuid.UUID]*schema.Task{}}
	if err := s.follow(ctx, w); err != nil {
		s.waits.drop(s, w)
		to.fail(err)
		return
	}
	s.waits.pending[w] = struct{}{}
	s.afterEvents(func() { s.waits.check(s, w) })
	if p.TimeoutMs != nil {
		w.timer = time.AfterFunc(time.Duration(*p.TimeoutMs)*time.Millisecond, func() { s.timedOut(w) })
	}
}

// unique leaves the first of ids that are the same.
func unique(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]bool, len(ids))
	return slices.DeleteFunc(ids, func(id uuid.UUID) bool {
		twice := seen[id]
		seen[id] = true
		return twice
	})
}

// follow looks at each task of a wait after it has begun to follow it, so
// that no end falls between the two.
func (s *session) follow(ctx context.Context, w *wait) error {
	for _, id := range w.ids {
		s.watcher.Follow(id, finishedOnly)
		s.waits.byTask[id] = append(s.waits.byTask[id], w)
		w.missing[id] = struct{}{}
		task, err := s.executor.Status(ctx, id)
		if err != nil {
			return taskError(err, id)
		}
		if task.State.Final() {
			s.waits.arrived(s, w, &task)
		}
	}
	return nil
}

// finished tells the waits of a task that it is final.
func (ws *waits) finished(s *session, task *schema.Task) {
	for _, w := range slices.Clone(ws.byTask[task.ID]) {
		ws.arrived(s, w, task)
		ws.check(s, w)
	}
}

// arrived notes a final task of a wait.
func (ws *waits) arrived(s *session, w *wait, task *schema.Task) {
	if _, missing := w.missing[task.ID]; !missing {
		return
	}
	shown := *task
	shown.Input = nil
	w.final[task.ID] = &shown
	ws.unfollow(s, w, task.ID)
}

func (ws *waits) unfollow(s *session, w *wait, id uuid.UUID) {
	delete(w.missing, id)
	s.watcher.Unfollow(id, finishedOnly)
	list := ws.byTask[id]
	for i, other := range list {
		if other == w {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(ws.byTask, id)
	} else {
		ws.byTask[id] = list
	}
}

// check answers a wait that has what it waits for.
func (ws *waits) check(s *session, w *wait) {
	if _, pending := ws.pending[w]; !pending {
		return
	}
	if w.over() {
		ws.answer(s, w, false)
	}
}

// over reports whether the tasks are there that it waits for.
func (w *wait) over() bool { return len(w.missing) == 0 || (w.any && len(w.final) > 0) }

func (s *session) timedOut(w *wait) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, pending := s.waits.pending[w]; pending && !w.over() { // one that is over is answered behind its events
		s.waits.answer(s, w, true)
		s.out.flush()
	}
}

// answer ends a wait with its tasks as they are now.
func (ws *waits) answer(s *session, w *wait, timedOut bool) {
	result := schema.WaitResult{Tasks: []schema.Task{}, TimedOut: timedOut}
	for _, id := range w.ids {
		if task := w.final[id]; task != nil {
			result.Tasks = append(result.Tasks, *task)
			continue
		}
		task, err := s.executor.Status(context.Background(), id)
		if err != nil {
			ws.drop(s, w)
			w.to.fail(taskError(err, id))
			return
		}
		task.Input = nil
		result.Tasks = append(result.Tasks, task)
	}
	ws.drop(s, w)
	w.to.value(result)
}

// drop forgets a wait.
func (ws *waits) drop(s *session, w *wait) {
	delete(ws.pending, w)
	if w.timer != nil {
		w.timer.Stop()
	}
	for id := range w.missing {
		ws.unfollow(s, w, id)
	}
}

// cancelRequest ends the pending wait that has the request id.
func (s *session) cancelRequest(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waits.pending {
		if w.to.id != nil && bytes.Equal(w.to.id, id) {
			s.waits.drop(s, w)
			w.to.fail(newError(schema.CodeRequestCancelled, "the request was cancelled"))
			return
		}
	}
}

// failAll ends every wait with an error.
func (ws *waits) failAll(s *session, err error) {
	for w := range ws.pending {
		ws.drop(s, w)
		w.to.fail(err)
	}
}

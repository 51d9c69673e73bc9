package cmd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// waiter follows tasks until enough of them have ended. Tasks may be added from
// another goroutine.
type waiter struct {
	client *client.Client
	board  *board
	print  func(*schema.Task) error // the end of a task
	any    bool                     // one is enough
	ctx    context.Context          // ends when enough have ended, and with that of the command
	stop   context.CancelFunc

	mu      sync.Mutex
	left    map[uuid.UUID]bool
	more    bool // tasks are still added
	outcome outcome
}

func newWaiter(ctx context.Context, c *client.Client, b *board, print func(*schema.Task) error) *waiter {
	w := &waiter{client: c, board: b, print: print, left: map[uuid.UUID]bool{}, outcome: newOutcome()}
	w.ctx, w.stop = context.WithCancel(ctx)
	return w
}

// expect adds a task to those that are waited for.
func (w *waiter) expect(t *schema.Task) {
	w.mu.Lock()
	w.left[t.ID] = true
	w.mu.Unlock()
	w.board.expect(t)
}

// forget takes back an expect of a task that was refused.
func (w *waiter) forget(id uuid.UUID) {
	w.mu.Lock()
	delete(w.left, id)
	w.mu.Unlock()
	w.board.forget(id)
}

// end notes the end of a task, each once.
func (w *waiter) end(t *schema.Task) error {
	w.mu.Lock()
	if !w.left[t.ID] || w.enoughLocked() {
		w.mu.Unlock()
		return nil
	}
	delete(w.left, t.ID)
	how := w.outcome.add(t)
	if w.enoughLocked() {
		w.stop()
	}
	w.mu.Unlock()
	w.board.end(t, how)
	return w.print(t)
}

// all says that no more tasks are added.
func (w *waiter) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.more = false; w.enoughLocked() {
		w.stop()
	}
}

func (w *waiter) enoughLocked() bool {
	return len(w.left) == 0 && !w.more || w.any && w.outcome.ended > 0
}

// enough reports whether as many have ended as are wanted.
func (w *waiter) enough() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.enoughLocked()
}

// leftOver counts the tasks that have not ended.
func (w *waiter) leftOver() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.left)
}

func (w *waiter) expects(id uuid.UUID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left[id]
}

// named waits for tasks that anybody has submitted.
func (w *waiter) named(tasks []schema.Task) error {
	if w.board.draws() {
		if err := withInputs(w.ctx, w.client, tasks[:min(len(tasks), mostTitles)]); err != nil {
			return err
		}
	}
	p := schema.SubscribeParams{}
	for i := range tasks {
		w.expect(&tasks[i])
		p.IDs = append(p.IDs, tasks[i].ID)
	}
	ids := p.IDs
	if len(ids) > pageOfTasks {
		p.IDs = nil // the events of all tasks, of which those of others do nothing
	}
	if _, err := w.client.Subscribe(w.ctx, p); err != nil {
		return err
	}
	if err := w.look(ids); err != nil {
		return err
	}
	return w.follow(ids)
}

// look asks for the tasks as they are: they may have ended before their events were
// asked for.
func (w *waiter) look(ids []uuid.UUID) error {
	for some := range slices.Chunk(ids, pageOfTasks) {
		if err := w.lookAtOnce(some); err != nil {
			return err
		}
	}
	return nil
}

// lookAtOnce asks for tasks in one request, or in two where their results are too
// large for one answer.
func (w *waiter) lookAtOnce(ids []uuid.UUID) error {
	zero := int64(0)
	now, err := w.client.Wait(w.ctx, schema.WaitParams{IDs: ids, TimeoutMs: &zero})
	if w.enough() { // which has ended w.ctx
		return nil
	}
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == schema.CodeTooLarge && len(ids) > 1 {
		half := len(ids) / 2
		return cmp.Or(w.lookAtOnce(ids[:half]), w.lookAtOnce(ids[half:]))
	}
	if err != nil {
		return err
	}
	// A task whose branch was not taken is known by the one before it.
	slices.SortStableFunc(now.Tasks, func(a, b schema.Task) int { return cmp.Compare(a.FinishedAt, b.FinishedAt) })
	for i := range now.Tasks {
		if t := &now.Tasks[i]; t.State.Final() {
			if err := w.end(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow shows events until enough tasks have ended. The ids are those of tasks that
// others have submitted.
func (w *waiter) follow(ids []uuid.UUID) error {
	defer w.board.over()
	defer w.stop()
	if w.enough() {
		return nil
	}
	drawn := make(chan struct{})
	go func() { // ends with the context
		defer close(drawn)
		w.board.run(w.ctx)
	}()
	defer func() {
		w.stop()
		<-drawn
	}()
	for ev := range w.client.Events(w.ctx) {
		if err := w.event(ev, ids); err != nil {
			return err
		}
	}
	if w.enough() {
		return nil
	}
	return endOf(w.ctx, w.client)
}

// event shows an event.
func (w *waiter) event(ev client.Event, ids []uuid.UUID) error {
	switch {
	case ev.Finished != nil:
		return w.end(&ev.Finished.Task)
	case ev.Lost != nil:
		return w.look(ids)
	case w.expects(ev.TaskID()):
		w.board.event(ev)
	}
	return nil
}

package executor

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file is how clients reach the code of a running task: with input, signals and
// the size of a terminal.

// Handlers are what the code of a task does with what clients send to it. A nil one
// means that the task does not take this. The functions are called by many
// goroutines, also for a moment after the code has returned. They must not block.
// An *UnreachableError or *FullError is the answer of the client's request.
type Handlers struct {
	// Input takes bytes, and end says that no more will come. It keeps nothing of
	// data. Inputs is a reader in the place of it.
	Input  func(data []byte, end bool) error
	Signal func(schema.Signal) error
	Resize func(rows, columns uint16) error
}

// Handle sets the handlers of the task whose code this is. Call it once, in a type
// with StartsItself, and before Started: a client may send something as soon as it
// knows that the task runs, and is refused before this call.
func Handle(ctx context.Context, h Handlers) {
	if r := runOf(ctx); r != nil {
		r.handle(h)
	}
}

// UnreachableError says why a task cannot be sent something, and what to do.
type UnreachableError struct {
	Why, Cure string
	Retryable bool // the task has not started yet, so the same request may succeed later
}

func (e *UnreachableError) Error() string { return e.Why + "; " + e.Cure }

// contact is a running task that clients can reach.
type contact struct {
	run      *run
	handlers Handlers

	mu      sync.Mutex // protects what follows, and keeps the order of signals
	stopped bool       // the latest of STOP and CONT was STOP
	ended   bool       // a client has said that no more input comes
	over    bool       // the code has returned, or is not waited for any more
}

// Input sends bytes to a running task. end says that no more will come. It never
// waits for the task. The error is ErrNotFound, an *UnreachableError, or, where
// nothing was sent because too much waits already, a *FullError or *TooLargeError.
func (e *Executor) Input(ctx context.Context, id uuid.UUID, data []byte, end bool) error {
	c, err := e.reach(ctx, id)
	if err != nil {
		return err
	}
	if c.handlers.Input == nil {
		return takesNone("input")
	}
	err = c.handlers.Input(data, end)
	if err == nil && end {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
	}
	return err
}

// inputEnded reports whether a client has said that no more input comes, to this attempt or to
// one before it.
func (r *run) inputEnded() bool {
	if h := r.record.History; h != nil && h.InputEnded {
		return true
	}
	r.mu.Lock()
	c := r.contact
	r.mu.Unlock()
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Signal sends a signal to all processes of a running task. It never waits for the
// task. Errors are as of Input.
func (e *Executor) Signal(ctx context.Context, id uuid.UUID, signal schema.Signal) error {
	c, err := e.reach(ctx, id)
	if err != nil {
		return err
	}
	if c.handlers.Signal == nil {
		return takesNone("signals")
	}
	return c.signal(signal)
}

// Resize sets the size of the terminal of a running task. Errors are as of Input.
func (e *Executor) Resize(ctx context.Context, id uuid.UUID, rows, columns uint16) error {
	c, err := e.reach(ctx, id)
	if err != nil {
		return err
	}
	if c.handlers.Resize == nil {
		return takesNone("size of a terminal")
	}
	return c.handlers.Resize(rows, columns)
}

func takesNone(what string) error {
	return &UnreachableError{Why: "tasks of this type take no " + what, Cure: "those of exec do"}
}

var errEnded = &UnreachableError{Why: "the task has ended", Cure: "submit a new one"}

// reach finds the contact of a task. A running task that has called no Handle has
// an empty one.
func (e *Executor) reach(ctx context.Context, id uuid.UUID) (*contact, error) {
	if c, ok := e.contacts.Load(id); ok {
		return c.(*contact), nil
	}
	record, err := e.store.Get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case record.State == schema.Queued:
		return nil, &UnreachableError{Why: "the task waits to run", Cure: "send it after task/started", Retryable: true}
	case record.State.Final():
		return nil, errEnded
	}
	return e.reachRunning(ctx, id, record.RunsOn)
}

// reachRunning finds the contact of a task that is running in the store, on the process that the store
// names if it knows others. The error says why its code cannot be reached.
func (e *Executor) reachRunning(ctx context.Context, id uuid.UUID, on *schema.RunsOn) (*contact, error) {
	for i := range e.workers {
		if r := e.workers[i].run.Load(); r != nil && r.record.ID == id {
			return r.reach()
		}
	}
	if on != nil && !e.isSelf(ctx, on.Executor) {
		return nil, &UnreachableError{Why: "the task runs on " + on.Executor, Cure: "send it to the server there"}
	}
	if e.shared {
		return nil, &UnreachableError{Why: "the task runs in another process that shares the store, or is about to start", Cure: "send it to the server where it runs, after task/started", Retryable: true}
	}
	return nil, &UnreachableError{Why: "the task is about to start, or has just ended", Cure: "ask for its state, and send it after task/started", Retryable: true}
}

// isSelf reports whether an executor of that name among those that share the store is this one.
func (e *Executor) isSelf(ctx context.Context, name string) bool {
	all, _ := e.Executors(ctx) // without an answer it is not known to be
	return slices.ContainsFunc(all, func(i schema.ExecutorInfo) bool { return i.Self && i.Name == name })
}

// reach is the contact that the code has made by now. The task may have become
// reachable since a look-up in the contacts missed it, so the run itself must be asked.
func (r *run) reach() (*contact, error) {
	starts := &UnreachableError{Why: "the task is about to start", Cure: "send it after task/started", Retryable: true}
	if !r.starting.TryLock() {
		return nil, starts
	}
	begun := r.begun
	r.starting.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !begun:
		return nil, starts
	case r.returned || r.settled:
		return nil, errEnded
	case r.contact != nil:
		return r.contact, nil
	}
	return &contact{}, nil
}

// handle makes the task reachable. A later attempt finds the end of the input where clients
// have sent it to one before: they send it once.
func (r *run) handle(h Handlers) {
	if before := r.record.History; before != nil && before.InputEnded && h.Input != nil {
		_ = h.Input(nil, true) // a task that takes no input says so
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.contact == nil && !r.returned && !r.settled {
		r.contact = &contact{run: r, handlers: h}
		r.executor.contacts.Store(r.record.ID, r.contact)
	}
}

// unreach ends what handle has begun. It is called when the code has returned, or is
// not waited for any more.
func (r *run) unreach() {
	r.mu.Lock()
	c := r.contact
	r.mu.Unlock()
	if c != nil {
		r.executor.contacts.CompareAndDelete(r.record.ID, c)
		c.end()
	}
}

func (c *contact) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.setStoppedLocked(false)
}

// signal sends a signal, and notes whether the task is stopped.
func (c *contact) signal(signal schema.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return errEnded
	}
	if err := c.handlers.Signal(signal); err != nil {
		return err
	}
	switch signal {
	case schema.SignalStop:
		c.setStoppedLocked(true)
	case schema.SignalCont:
		c.setStoppedLocked(false)
	}
	return nil
}

func (c *contact) setStoppedLocked(stopped bool) {
	if c.stopped == stopped {
		return
	}
	if c.stopped = stopped; stopped {
		c.run.executor.stopped.Add(1)
	} else {
		c.run.executor.stopped.Add(-1)
	}
}

// isStopped reports whether a signal has stopped the task. A task that was told to
// stop for good is continued for that.
func (c *contact) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped && c.run.goesOn()
}

// goesOn reports whether the task was not told to stop.
func (r *run) goesOn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping == nil || r.stopping.cause == nil
}

// showStopped sets Stopped of a task that a signal has stopped.
func (e *Executor) showStopped(t *schema.Task) {
	if e.stopped.Load() == 0 || t.State != schema.Running {
		return // the usual case
	}
	if c, ok := e.contacts.Load(t.ID); ok {
		t.Stopped = c.(*contact).isStopped()
	}
}

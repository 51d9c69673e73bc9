package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file tells how an executor ends: Begin closes the admission, Run sees
// to the tasks that are left as the mode says, and everybody who called
// Shutdown is answered when no task is left.

// ShutdownInterrupt is the mode of an end that nobody asked for: the client has
// gone, or the process was told to end. A durable store keeps the tasks for the
// next process: those that wait, and those that run and may run again; the
// others are told to stop, and end as interrupted. With a store in memory it is
// schema.ShutdownCancel, for nobody will ever see the tasks again. A client
// cannot ask for it.
const ShutdownInterrupt schema.ShutdownMode = "interrupt"

// tellAfter is how long the store may take to cancel the tasks before they are
// told without it: a disk may stall. Until then it goes first, so that why
// they were cancelled is recorded with them.
const tellAfter = 100 * time.Millisecond

type shutdown struct {
	// mode is how far along gentlestFirst the shutdown is. Nothing waits to set
	// it, so that it is known while the store does not answer.
	mode       atomic.Int32
	beginning  sync.Mutex              // is held to change the mode, and protects the next two
	before     schema.TaskTotals       // what had ended when it began
	stopClaims context.CancelCauseFunc // of Run; nil before it
	// admitting counts the submits under way, and has shut added when the shutdown
	// begins: in one number, so that none is admitted that settle does not see. Who
	// finds it shut knows all that was admitted.
	admitting atomic.Int64

	changed chan struct{} // has room for one
	over    chan struct{} // closed when Run returns
	result  schema.ShutdownResult
	alive   atomic.Int64 // workers, and others who make tasks final
	ran     atomic.Bool
}

func (s *shutdown) init() {
	s.changed, s.over = make(chan struct{}, 1), make(chan struct{})
}

// admit begins a submit, or answers false; admitted ends it.
func (s *shutdown) admit() bool {
	if s.admitting.Add(1) > shut {
		s.admitted()
		return false
	}
	return true
}

// shut is more than the submits that can be under way.
const shut = 1 << 48

func (s *shutdown) admitted() {
	s.admitting.Add(-1)
	s.notify()
}

// enter says that the caller may make a task final, and leave that it has
// counted what it did: Run's result waits for it.
func (s *shutdown) enter() { s.alive.Add(1) }

func (s *shutdown) leave() {
	s.alive.Add(-1)
	s.notify()
}

// ShuttingDown says whether a shutdown has begun. It waits for nothing.
func (e *Executor) ShuttingDown() bool { return e.stop.begun() }

func (s *shutdown) begun() bool { return s.mode.Load() > 0 }

// notify lets Run look again, once a shutdown is under way.
func (s *shutdown) notify() {
	if s.begun() {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *shutdown) current() schema.ShutdownMode { return gentlestFirst[s.mode.Load()] }

var gentlestFirst = []schema.ShutdownMode{"", schema.ShutdownDrain, schema.ShutdownFinish, ShutdownInterrupt, schema.ShutdownCancel}

// Begin closes the admission: when it returns, no submit is admitted any
// more; those under way are part of the shutdown. It waits for nothing. A
// second call can only make the mode less gentle.
func (e *Executor) Begin(mode schema.ShutdownMode) {
	info := e.store.Info()
	switch {
	case mode == schema.ShutdownDrain && info.Shared: // the queue is never empty for good
		mode = schema.ShutdownFinish
	case mode == ShutdownInterrupt && !info.Durable:
		mode = schema.ShutdownCancel
	}
	if !e.escalate(mode) {
		return
	}
	switch mode { // Run may be waiting for the store
	case ShutdownInterrupt:
		e.stopWorkers(ErrInterrupted)
	case schema.ShutdownCancel:
		time.AfterFunc(tellAfter, e.cancelWorkers)
	}
	e.stop.notify()
}

// escalate makes the mode that of the shutdown, unless it is no less gentle.
// When it returns, nothing that waits is taken up that the mode does not run.
func (e *Executor) escalate(mode schema.ShutdownMode) bool {
	s := &e.stop
	s.beginning.Lock()
	defer s.beginning.Unlock()
	to := int32(slices.Index(gentlestFirst, mode))
	if to <= s.mode.Load() {
		return false
	}
	if !s.begun() {
		s.before = e.rates.sums()
		s.admitting.Add(shut)
	}
	s.mode.Store(to)
	s.closeClaims()
	return true
}

// claiming names what ends the claims of Run.
func (s *shutdown) claiming(stop context.CancelCauseFunc) {
	s.beginning.Lock()
	defer s.beginning.Unlock()
	s.stopClaims = stop
	s.closeClaims()
}

// closeClaims ends the claims, where the mode is one that runs nothing that
// waits; it needs beginning.
func (s *shutdown) closeClaims() {
	if s.begun() && s.current() != schema.ShutdownDrain && s.stopClaims != nil {
		s.stopClaims(ErrShuttingDown)
	}
}

// Shutdown begins to end the executor and waits until it has ended. Past the
// timeout, where it is not 0, it goes on as ShutdownCancel; a task's code that
// does not stop is given up after its grace, so it always ends.
func (e *Executor) Shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration) (schema.ShutdownResult, error) {
	e.Begin(mode)
	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() { e.Begin(schema.ShutdownCancel) })
		defer timer.Stop()
	}
	select {
	case <-e.stop.over:
		return e.stop.result, nil
	case <-ctx.Done():
		return schema.ShutdownResult{}, context.Cause(ctx)
	}
}

// Done is closed when Run has ended.
func (e *Executor) Done() <-chan struct{} { return e.stop.over }

// Hasten bounds the grace of every task, also of those in it now. With 0 all
// that is told to stop is killed at once.
func (e *Executor) Hasten(most time.Duration) {
	e.graceMax.Store(int64(most))
	for i := range e.workers {
		e.workers[i].shorten(most)
	}
}

// Run runs tasks until a shutdown has ended. When ctx ends it shuts down as
// ShutdownInterrupt. It returns when no task is left and all workers have ended,
// but for those whose tasks do not stop.
func (e *Executor) Run(ctx context.Context) error {
	s := &e.stop
	if s.ran.Swap(true) {
		return errors.New("the executor has run already")
	}
	if err := e.join(ctx); err != nil {
		e.Begin(schema.ShutdownFinish)
		close(s.over)
		return err
	}
	claims, stopClaims := context.WithCancelCause(context.WithoutCancel(ctx))
	s.claiming(stopClaims)
	for i := range e.workers {
		e.startWorker(claims, &e.workers[i])
	}
	unhook := context.AfterFunc(ctx, func() { e.Begin(ShutdownInterrupt) })
	defer unhook()
	left, err := e.settle(context.WithoutCancel(ctx))
	stopClaims(ErrShuttingDown)
	for s.alive.Load() > e.stuck.Load() {
		<-s.changed
	}
	e.claimer.Leave()
	s.result = e.became(left)
	close(s.over)
	return err
}

// join begins to claim tasks, and says so where some of them have to wait for a
// program that has their types.
func (e *Executor) join(ctx context.Context) error {
	claimer, err := e.store.Join(ctx, e.runnable(), e.limits)
	if err != nil {
		return fmt.Errorf("join the store: %w", err)
	}
	e.claimer = claimer
	if n, err := claimer.Unclaimable(ctx); err == nil && n > 0 {
		e.log.Warn("queued tasks are of types that are not offered here; they stay queued", "tasks", n)
	}
	return nil
}

// became counts what ended since the shutdown began. What its code has not
// left counts as left, too.
func (e *Executor) became(left int64) schema.ShutdownResult {
	now, before := e.rates.sums(), e.stop.before
	return schema.ShutdownResult{
		Completed: now.Completed - before.Completed,
		Failed:    now.Failed - before.Failed,
		Cancelled: now.Cancelled - before.Cancelled,
		Left:      left + e.stuck.Load() - e.stuckRequeued.Load(), // these are in left
	}
}

package executor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jobline/jobline/schema"
)

const (
	// storePause is how long the executor waits before it asks a store again that
	// answered an error.
	storePause = 100 * time.Millisecond
	// storeTries is how often a shutdown asks the store for the tasks left.
	storeTries = 3
	// faultPatience is how long a shutdown waits for a store that cannot write or
	// cancel, once no code runs any more.
	faultPatience = time.Second
)

// Run runs tasks until a shutdown is over. The end of ctx begins a shutdown with
// ShutdownInterrupt. It returns when no task is left and the workers have ended,
// except those with code that does not stop. It can be called once.
func (e *Executor) Run(ctx context.Context) error {
	s := &e.stop
	if s.ran.Swap(true) {
		return errors.New("the executor has run already")
	}
	leave, err := e.join(ctx)
	if err != nil {
		e.Begin(schema.ShutdownFinish)
		close(s.over)
		return err
	}
	claims, stopClaims := context.WithCancelCause(context.WithoutCancel(ctx))
	s.claiming(stopClaims)
	for i := range e.workers {
		e.startWorker(claims, &e.workers[i])
	}
	defer e.whenDismissed()()
	unhook := context.AfterFunc(ctx, func() { e.Begin(ShutdownInterrupt) })
	defer unhook()
	stopScheduler := e.startScheduler(ctx)
	left, err := e.settle(context.WithoutCancel(ctx))
	stopScheduler()
	stopClaims(ErrShuttingDown)
	for s.alive.Load() > e.stuck.Load() {
		<-s.changed
	}
	if err == nil && left > 0 { // a task that a drain did not wait for may have begun before the claims ended
		if r, err := e.remaining(context.WithoutCancel(ctx), s.current()); err == nil {
			left = r.left
		}
	}
	leave()
	s.result = e.became(left)
	close(s.over)
	return err
}

// join makes the watcher of Run, and its claimer where something is to run here. leave ends both.
func (e *Executor) join(ctx context.Context) (leave func(), err error) {
	leaveClaims := func() {}
	if !e.drives() {
		if leaveClaims, err = e.joinClaims(ctx); err != nil {
			return nil, fmt.Errorf("join the store: %w", err)
		}
	}
	stop, err := e.watchUnrun(context.WithoutCancel(ctx))
	if err != nil {
		leaveClaims()
		return nil, fmt.Errorf("watch the store: %w", err)
	}
	return func() {
		leaveClaims()
		stop()
	}, nil
}

// joinClaims makes the claimer of Run, and logs how many queued tasks cannot run here.
func (e *Executor) joinClaims(ctx context.Context) (leave func(), err error) {
	claimer, err := e.store.Join(ctx, Offer{Types: e.runnable(), Labels: e.options.Labels, Limits: e.limits})
	if err != nil {
		return nil, err
	}
	e.claimer = claimer
	if n, err := claimer.Unclaimable(ctx, 0); err == nil && n > 0 {
		e.log.Warn("queued tasks stay queued: they are of types that are not offered here, ask for labels that are not here, are paused, or need more than there is", "tasks", n)
	}
	return claimer.Leave, nil
}

// startWorker begins the goroutine of a slot. It is replaced if a task's code
// ends it with runtime.Goexit.
func (e *Executor) startWorker(ctx context.Context, w *worker) {
	e.stop.enter()
	go func() {
		over := false
		defer func() {
			if !over {
				e.startWorker(ctx, w)
			}
			e.stop.leave()
		}()
		e.work(ctx, w)
		over = true
	}()
}

// work claims and runs one task after the other until ctx ends.
func (e *Executor) work(ctx context.Context, w *worker) {
	lasting := context.WithoutCancel(ctx)
	for {
		ended := w.ended
		w.ended = Ended{}
		lease, err := e.claimer.Claim(ctx, ended)
		switch {
		case err == nil:
			e.runTask(lasting, w, lease)
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return
		default:
			e.log.Error("the store gives out no tasks", "error", err)
			select {
			case <-time.After(storePause):
			case <-ctx.Done():
			}
		}
	}
}

// runTask runs one task. The context has the values of Run's but never ends: each
// task is stopped for itself, and its end must be recorded in any case.
func (e *Executor) runTask(ctx context.Context, w *worker, lease Lease) {
	record := lease.Record()
	input := record.Input // read before anything can give the task up, and end it
	if w.typ == nil || w.typ.name != record.Type {
		w.typ = e.types[record.Type]
	}
	r := &run{taskContext: taskContext{values: ctx}, executor: e, worker: w, lease: lease, record: record, typ: w.typ, conditions: record.Conditions}
	w.run.Store(r)
	if e.stop.interrupts() { // stopWorkers may have come before this task was set
		r.stop(ErrInterrupted)
	}
	r.execute(input)
	w.run.Store(nil)
}

// requeue leaves a task Running in the store, whose next process runs it again.
func (e *Executor) requeue() {
	e.requeued.Add(1)
	e.stop.notify()
}

// worker is a slot: the code of at most one task runs in it. The run that it has
// may have ended meanwhile, and then does nothing of what it is told.
type worker struct {
	run   atomic.Pointer[run]
	typ   *Type // of the latest task: the next is often of the same
	ended Ended // the latest task's, for the next claim
}

// stop tells the slot's task to stop.
func (w *worker) stop(cause error) {
	if r := w.run.Load(); r != nil {
		r.stop(cause)
	}
}

// busy reports whether the slot's code runs and was not given up.
func (w *worker) busy() bool {
	r := w.run.Load()
	return r != nil && r.busy()
}

// shorten makes what is left of the grace of the slot's task at most d.
func (w *worker) shorten(d time.Duration) {
	if r := w.run.Load(); r != nil {
		r.shorten(d)
	}
}

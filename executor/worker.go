package executor

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
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

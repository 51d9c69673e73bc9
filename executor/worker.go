package executor

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// storePause is how long it waits who asks a store again that failed to answer.
	storePause = 100 * time.Millisecond
	// storeTries is how often it is asked for what cannot be left undone.
	storeTries = 3
	// faultPatience is how long a shutdown in which no code runs any more waits
	// for a store that cannot write, or cancel.
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
		lease, err := e.claimer.Claim(ctx)
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

// runTask runs one task. The context has the values of Run's and never ends:
// a task is stopped by itself, and its end is recorded whatever has ended.
func (e *Executor) runTask(ctx context.Context, w *worker, lease Lease) {
	record := lease.Record()
	if w.typ == nil || w.typ.name != record.Type {
		w.typ = e.types[record.Type]
	}
	r := &run{taskContext: taskContext{values: ctx}, executor: e, lease: lease, record: record, typ: w.typ}
	w.run.Store(r)
	if e.stop.interrupts() { // who told the others did not find this one
		r.stop(ErrInterrupted)
	}
	r.execute()
	w.run.Store(nil)
}

// record makes a task final. The worker goes on to the next task: the store
// keeps the order.
func (e *Executor) record(lease Lease, o Outcome) {
	e.finishesPending.Add(1)
	state := o.State
	lease.Finish(o, func(err error) {
		switch {
		case err == nil:
			e.rates.ended(state)
		case !errors.Is(err, ErrLeaseLost): // then it is another worker's
			e.log.Error("the end of a task could not be recorded", "task", lease.Record().ID, "error", err)
			e.finishesLost.Add(1)
		}
		e.finishesPending.Add(-1)
		e.stop.notify()
	})
	e.stop.notify()
}

// requeue leaves a task Running in the store, whose next process runs it again.
func (e *Executor) requeue() {
	e.requeued.Add(1)
	e.stop.notify()
}

// worker is a slot: the code of at most one task runs in it. The run that it has
// may have ended meanwhile, and then does nothing of what it is told.
type worker struct {
	run atomic.Pointer[run]
	typ *Type // of the latest task: the next is often of the same
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

package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jobline/jobline/schema"
)

const (
	// storePause is how long it waits who asks a store again that failed to answer.
	storePause = 100 * time.Millisecond
	// storeTries is how often it is asked for what cannot be left undone.
	storeTries = 3
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
		lease, err := e.store.Claim(ctx, e.limits)
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
	t, ok := e.types[record.Type]
	if !ok { // a durable store may know tasks of types that this program has not
		e.refuse(ctx, lease, fmt.Sprintf("this program has no task type %q", record.Type))
		return
	}
	r := &run{executor: e, lease: lease, record: record, typ: t, settling: ctx}
	r.Context, r.cancel = context.WithCancelCause(ctx)
	w.set(r)
	r.execute()
	w.set(nil)
}

func (e *Executor) refuse(ctx context.Context, lease Lease, why string) {
	o := Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: why, Retryable: true}}
	e.record(ctx, lease, o)
	lease.Release()
}

// record makes a task final. Where the store cannot, also when asked again,
// the task stays there as it is, and no shutdown waits for it.
func (e *Executor) record(ctx context.Context, lease Lease, o Outcome) {
	err := lease.Finish(ctx, o)
	for try := 1; errors.Is(err, ErrStoreUnavailable) && try < storeTries; try++ {
		time.Sleep(storePause)
		err = lease.Finish(ctx, o)
	}
	switch {
	case err == nil:
		e.rates.ended(o.State)
	case !errors.Is(err, ErrLeaseLost): // then it is another worker's
		e.log.Error("the end of a task could not be recorded", "task", lease.Record().ID, "error", err)
		e.unrecorded.Add(1)
	}
	e.stop.poke()
}

// worker is a slot: the code of at most one task runs in it.
type worker struct {
	mu  sync.Mutex
	run *run
}

func (w *worker) set(r *run) {
	w.mu.Lock()
	w.run = r
	w.mu.Unlock()
}

// stop tells the slot's task to stop.
func (w *worker) stop(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run != nil {
		w.run.stop(cause)
	}
}

// shorten makes what is left of the grace of the slot's task at most d.
func (w *worker) shorten(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run != nil {
		w.run.shorten(d)
	}
}

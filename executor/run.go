package executor

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// ProgressEvery is the least time between two progress events of a task. Stores keep to it for
// the progress that a task has by its children.
const ProgressEvery = 100 * time.Millisecond

// killDelay is how long code that uses Killed has, after the grace, to kill its
// processes, before its task is given up.
const killDelay = time.Second

// run is one attempt of one task on a worker. It stops the code when it must, and
// makes the task final exactly once. It is also the code's context.
type run struct {
	taskContext // ends with the cause: a *Cancellation, ErrTimeout, ErrInterrupted, ErrLeaseLost

	executor *Executor
	worker   *worker
	lease    Lease
	record   *Record
	typ      *Type
	// conditions are the record's. They may be read at any time.
	conditions *schema.Conditions

	// starting is held while Started is published, so that nothing of the task
	// comes before it.
	starting sync.Mutex
	begun    bool

	state    schema.State // of the task, once it is final
	settled  bool         // Finish was called, or the lease is lost
	returned bool         // the code has returned: readers of its output may still be waited for
	ended    bool         // and they are not any more
	gaveUp   bool         // it is counted as stuck
	requeued bool         // and its task is for the store's next process to run
	forced   bool         // the grace is over

	mu       sync.Mutex    // protects what is above, but for begun, and below
	stopping *stopping     // made when it is told to stop, or is asked for that
	progress *progressGate // made with the first progress
	contact  *contact      // made by Handle

	waited time.Duration // for readers of the output, since it was told to stop; only the writer uses it
}

// stopping is what a run needs to stop its code. Most runs never do.
type stopping struct {
	timeout  *time.Timer   // nil where the task has none
	cause    error         // why it is to stop
	told     error         // and what that was when the code returned
	noted    chan struct{} // of a task that was given up: is closed when the store has its end
	kill     chan struct{} // is closed when processes must be killed; nil before anybody asks
	late     chan struct{} // is closed when the grace is over; nil before anybody asks
	grace    *time.Timer   // runs from the cause on: first the grace, then killDelay
	deadline time.Time     // when grace fires
}

// stoppingLocked makes what the run needs to stop.
func (r *run) stoppingLocked() *stopping {
	if r.stopping == nil {
		r.stopping = new(stopping)
	}
	return r.stopping
}

// Value makes the run findable for the functions of the task API.
func (r *run) Value(key any) any {
	if _, ok := key.(runKey); ok {
		return r
	}
	return r.taskContext.Value(key)
}

// execute runs the code and waits for its end.
func (r *run) execute(input jsontext.Value) {
	if !r.typ.ownStart {
		r.started(0) // before anything can stop the task and settle it
	}
	if r.record.Timeout > 0 {
		r.mu.Lock()
		r.stoppingLocked().timeout = time.AfterFunc(r.record.Timeout, func() { r.stop(ErrTimeout) })
		r.mu.Unlock()
	}
	r.lease.OnRevoke(r.stop)
	r.over(r.call(input))
}

// over makes the task final after the code has returned.
func (r *run) over(result jsontext.Value, err error) {
	r.mu.Lock()
	r.returned = true
	if s := r.stopping; s != nil {
		if s.told = s.cause; s.timeout != nil {
			s.timeout.Stop()
		}
	}
	r.mu.Unlock()
	r.unreach()
	r.drain()
	r.end(result, err)
	if r.worker.ended.Lease == nil { // else the next claim releases it
		r.lease.Release()
	}
}

// call runs the code and turns a panic into an error. A panic ends the task
// and nothing else; its stack goes to the log alone.
func (r *run) call(input jsontext.Value) (result jsontext.Value, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		reason := recover()
		if reason == nil { // runtime.Goexit: the worker is replaced
			err = &Failure{schema.TaskError{Kind: schema.KindPanic, Message: "the code called runtime.Goexit"}}
			r.over(nil, err)
			return
		}
		r.executor.log.Error("a task panicked", "task", r.record.ID, "type", r.record.Type,
			"panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
		err = &Failure{schema.TaskError{Kind: schema.KindPanic, Message: fmt.Sprintf("panic: %v", reason)}}
	}()
	if r.typ.secrets != nil {
		input, err = r.typ.reveal(input, r.executor.vault.values(r.record.ID))
	}
	if err == nil {
		result, err = r.typ.run(r, input)
	}
	if err != nil {
		err = heard(err)
	}
	returned = true
	return result, err
}

// stop tells the code to stop. The first cause counts; a cancel that is
// repeated with Force ends the grace.
func (r *run) stop(cause error) {
	force := false
	if c, ok := errors.AsType[*Cancellation](cause); ok {
		force = c.Force
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled || r.ended {
		return
	}
	if cause == ErrLeaseLost {
		r.settled = true // another worker has it: there is nothing to record
	}
	if s := r.stoppingLocked(); s.cause == nil {
		s.cause = cause
		r.expire(cause)
		if cause == ErrInterrupted {
			r.executor.log.Info("a task is interrupted", "task", r.record.ID, "type", r.record.Type, "runsAgain", r.record.RunsAgain())
		}
		r.startGraceLocked(r.executor.graceOf(r.record))
	}
	if force {
		r.shortenLocked(0)
	}
}

func (r *run) startGraceLocked(d time.Duration) {
	r.stopping.deadline = time.Now().Add(d)
	r.stopping.grace = time.AfterFunc(d, r.graceOver)
}

// shorten makes what is left of the grace at most d.
func (r *run) shorten(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shortenLocked(d)
}

func (r *run) shortenLocked(d time.Duration) {
	if s := r.stopping; s != nil && s.grace != nil && !r.forced && time.Until(s.deadline) > d && s.grace.Stop() {
		r.startGraceLocked(d)
	}
}

// graceOver ends the grace: it closes Killed, so that the code can kill its
// processes, and gives the task up if that does not help.
func (r *run) graceOver() {
	r.mu.Lock()
	if r.ended || r.forced {
		r.mu.Unlock()
		return
	}
	r.forced = true
	s := r.stopping
	if s.late != nil {
		close(s.late)
	}
	if r.returned {
		r.mu.Unlock()
		return
	}
	wait := time.Duration(0)
	if s.kill != nil {
		close(s.kill)
		wait = killDelay
	}
	s.grace = time.AfterFunc(wait, r.giveUp)
	r.mu.Unlock()
}

// giveUp makes a task final whose code does not stop. The code keeps the slot, and
// counts as stuck until it ends.
func (r *run) giveUp() {
	r.mu.Lock()
	if r.returned {
		r.mu.Unlock()
		return
	}
	s := r.stopping
	r.gaveUp, s.noted = true, make(chan struct{})
	defer close(s.noted)
	r.executor.stuck.Add(1)
	cause, settled := s.cause, r.settled
	r.settled = true
	if r.requeued = !settled && r.requeuesOnRestart(cause); r.requeued {
		r.executor.stuckRequeued.Add(1)
	}
	r.mu.Unlock()
	r.unreach()
	r.executor.stop.enter()
	defer r.executor.stop.leave()
	r.executor.log.Warn("a task does not stop; its slot stays taken", "task", r.record.ID, "type", r.record.Type)
	if !settled {
		if o, final := r.failed(cause, &Failure{schema.TaskError{Forced: true, Message: "its code has not ended"}}); final {
			r.finishing(o)
			r.lease.Finish(o, r.recorded)
		}
	}
}

// busy reports whether the code runs and was not given up.
func (r *run) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.ended && !r.gaveUp
}

func (r *run) killed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stoppingLocked()
	if s.kill == nil {
		s.kill = make(chan struct{})
		if r.forced {
			close(s.kill)
		}
	}
	return s.kill
}

// overdue is closed when the grace is over.
func (r *run) overdue() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stoppingLocked()
	if s.late == nil {
		s.late = make(chan struct{})
		if r.forced {
			close(s.late)
		}
	}
	return s.late
}

func (r *run) report(p schema.Progress) {
	if p, ok := cleanProgress(p); ok {
		r.started(0)
		if gate := r.progressGate(); gate != nil {
			gate.offer(p, r.sendProgress)
		}
	}
}

// progressGate is the gate of the task's progress. It is made for the first
// one while the code runs; most tasks have none.
func (r *run) progressGate() *progressGate {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.progress == nil && !r.ended {
		r.progress = new(progressGate)
	}
	return r.progress
}

func (r *run) sendProgress(p schema.Progress) {
	_ = r.lease.Progress(p) // a lease that is lost says so at Finish
}

func (r *run) started(pid int) {
	r.starting.Lock()
	defer r.starting.Unlock()
	if !r.begun {
		r.begun = true
		_ = r.lease.Started(pid) // a lease that is lost says so at Finish
	}
}

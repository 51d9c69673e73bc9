package executor

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file ends an executor. Begin refuses new submits. Run (worker.go) then ends the remaining tasks
// as the mode says (settle.go). When no task is left, Run ends, and each Shutdown returns.

// ShutdownInterrupt is the mode if the client has gone, or the process got a signal. All
// running tasks are told to stop. A durable store keeps queued tasks, and running
// tasks that may run again, for the next process. The other running tasks fail as
// interrupted. With a store in memory this mode becomes schema.ShutdownCancel, because
// the tasks end with the process.
const ShutdownInterrupt schema.ShutdownMode = "interrupt"

// shutdownStop is the mode when the time-out of a shutdown is over. All running tasks are
// cancelled. A durable store keeps queued tasks for the next process. With a store in
// memory this mode becomes schema.ShutdownCancel, because the tasks end with the process.
const shutdownStop schema.ShutdownMode = "stop"

// tellAfter is how long a shutdown waits for the store to cancel the running tasks. After
// that it tells their code to stop, recorded or not, because a disk may stall. The
// store goes first, so that the reason of the cancel is recorded.
const tellAfter = 100 * time.Millisecond

type shutdown struct {
	// mode is an index of gentlestFirst. It is atomic, so that it can be read while
	// the store does not answer.
	mode       atomic.Int32
	beginning  sync.Mutex              // held to change the mode; protects the next three
	before     schema.TaskTotals       // of the tasks that ended before the shutdown
	reason     string                  // why the shutdown began
	stopClaims context.CancelCauseFunc // ends the claims of Run; nil before Run
	// admitting counts the submits under way. A shutdown adds shut to it. Because both
	// are in one atomic number, no submit is admitted after the shutdown has begun, and
	// settle sees when the submits admitted before are over.
	admitting atomic.Int64

	changed chan struct{} // tells Run to look again; has room for one
	started chan struct{} // closed when a shutdown begins
	over    chan struct{} // closed when Run returns
	result  schema.ShutdownResult
	alive   atomic.Int64 // goroutines that may make tasks final, such as workers
	ran     atomic.Bool
	// deadline is the schema.Time at which the shutdown becomes shutdownStop; 0 is
	// never. A drain does not wait for tasks that may not run before.
	deadline atomic.Int64
	// unrun counts the tasks that the store has ended since the shutdown began, because of
	// their conditions. Only Run uses it and the two below.
	unrun, unrunBefore int64
	counted            bool // unrunBefore is set
}

func (s *shutdown) init() {
	s.changed, s.started, s.over = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
}

// admit counts a submit as under way, or answers false if a shutdown has begun. After true, admitted must be called.
func (s *shutdown) admit() bool {
	if s.admitting.Add(1) > shut {
		s.admitted()
		return false
	}
	return true
}

// shut is greater than any number of submits under way.
const shut = 1 << 48

func (s *shutdown) admitted() {
	s.admitting.Add(-1)
	s.notify()
}

// enter and leave enclose code that may make tasks final. Run does not count the result,
// and does not return, before there was a leave for each enter.
func (s *shutdown) enter() { s.alive.Add(1) }

func (s *shutdown) leave() {
	s.alive.Add(-1)
	s.notify()
}

// ShuttingDown says whether a shutdown has begun. It does not block.
func (e *Executor) ShuttingDown() bool { return e.stop.begun() }

func (s *shutdown) begun() bool { return s.mode.Load() > 0 }

// notify makes Run look again whether all is over. Before a shutdown it does nothing.
func (s *shutdown) notify() {
	if s.begun() {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *shutdown) current() schema.ShutdownMode { return gentlestFirst[s.mode.Load()] }

var gentlestFirst = []schema.ShutdownMode{"", schema.ShutdownDrain, schema.ShutdownFinish, shutdownStop, ShutdownInterrupt, schema.ShutdownCancel}

// Begin begins a shutdown. After it returns, no submit is admitted; submits under
// way are part of the shutdown. It does not wait. A further call can only make the
// mode less gentle.
func (e *Executor) Begin(mode schema.ShutdownMode) { e.BeginBecause(mode, "") }

// BeginBecause is Begin with a reason, which is told to the connections of a shared
// executor. The reason of the first call counts.
func (e *Executor) BeginBecause(mode schema.ShutdownMode, reason string) {
	info := e.store.Info()
	switch {
	case mode == schema.ShutdownDrain && info.Shared: // the queue is never empty for good
		mode = schema.ShutdownFinish
	case (mode == ShutdownInterrupt || mode == shutdownStop) && !info.Durable:
		mode = schema.ShutdownCancel
	}
	if !e.escalate(mode, reason) {
		return
	}
	switch mode { // Run may be waiting for the store
	case ShutdownInterrupt:
		e.stopWorkers(ErrInterrupted)
	case schema.ShutdownCancel, shutdownStop:
		time.AfterFunc(tellAfter, e.cancelWorkers)
	}
	e.stop.notify()
}

// escalate sets the mode, and reports whether it did: the mode must be less gentle than the
// current one. When it returns, no queued task is claimed any more unless the mode runs them.
func (e *Executor) escalate(mode schema.ShutdownMode, reason string) bool {
	s := &e.stop
	s.beginning.Lock()
	defer s.beginning.Unlock()
	to := int32(slices.Index(gentlestFirst, mode))
	if to <= s.mode.Load() {
		return false
	}
	if !s.begun() {
		s.before, s.reason = e.rates.sums(), reason
		s.admitting.Add(shut)
		defer close(s.started)
	}
	s.mode.Store(to)
	s.closeClaims()
	return true
}

// endBefore notes when a time-out makes the mode shutdownStop: the earliest counts.
func (s *shutdown) endBefore(at schema.Time) {
	for {
		before := s.deadline.Load()
		if before != 0 && before <= int64(at) || s.deadline.CompareAndSwap(before, int64(at)) {
			return
		}
	}
}

// claiming sets the function that ends the claims of Run.
func (s *shutdown) claiming(stop context.CancelCauseFunc) {
	s.beginning.Lock()
	defer s.beginning.Unlock()
	s.stopClaims = stop
	s.closeClaims()
}

// closeClaims ends the claims, unless the mode runs queued tasks. The caller holds beginning.
func (s *shutdown) closeClaims() {
	if s.begun() && s.current() != schema.ShutdownDrain && s.stopClaims != nil {
		s.stopClaims(ErrShuttingDown)
	}
}

// Shutdown begins a shutdown and waits until Run has ended, or until ctx ends. After
// the timeout, unless that is 0, the running tasks are cancelled; a durable store keeps the
// queued ones, and in a store in memory they are cancelled, too. Code that does not stop is
// given up after its grace, so a shutdown always ends.
func (e *Executor) Shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration) (schema.ShutdownResult, error) {
	if timeout > 0 {
		e.stop.endBefore(schema.TimeOf(time.Now().Add(timeout)))
	}
	e.Begin(mode)
	if timeout > 0 {
		timer := time.AfterFunc(timeout, func() { e.Begin(shutdownStop) })
		defer timer.Stop()
	}
	select {
	case <-e.stop.over:
		return e.stop.result, nil
	case <-ctx.Done():
		return schema.ShutdownResult{}, context.Cause(ctx)
	}
}

// ShutdownBegun is closed when a shutdown begins; Ending then says which.
func (e *Executor) ShutdownBegun() <-chan struct{} { return e.stop.started }

// Ending answers the mode of the shutdown that has begun, and why it began. After the
// time-out of a shutdown it is schema.ShutdownCancel.
func (e *Executor) Ending() (mode schema.ShutdownMode, reason string) {
	e.stop.beginning.Lock()
	defer e.stop.beginning.Unlock()
	if mode = e.stop.current(); mode == shutdownStop {
		mode = schema.ShutdownCancel
	}
	return mode, e.stop.reason
}

// Done is closed when Run has ended.
func (e *Executor) Done() <-chan struct{} { return e.stop.over }

// Hasten shortens the grace of all tasks to at most the given time. That includes tasks whose
// grace has begun. With 0, a task that is told to stop is killed at once.
func (e *Executor) Hasten(most time.Duration) {
	e.graceMax.Store(int64(most))
	for i := range e.workers {
		e.workers[i].shorten(most)
	}
}

// became counts the tasks that ended since the shutdown began. A task whose code does not
// return counts as left.
func (e *Executor) became(left int64) schema.ShutdownResult {
	now, before := e.rates.sums(), e.stop.before
	return schema.ShutdownResult{
		Completed: now.Completed - before.Completed,
		Failed:    now.Failed - before.Failed + e.stop.unrun,
		Cancelled: now.Cancelled - before.Cancelled,
		Left:      left + e.stuck.Load() - e.stuckRequeued.Load(), // these are in left
	}
}

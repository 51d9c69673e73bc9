package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file tells how an executor ends: Begin closes the admission, Run sees
// to the tasks that are left as the mode says, and everybody who called
// Shutdown is answered when no task is left.

// shutdownReason is the reason of the tasks that a shutdown cancels.
const shutdownReason = "shutdown"

// ShutdownInterrupt is the mode of an end that nobody asked for: the client has
// gone, or the process was told to end. A durable store keeps the tasks for the
// next process: those that wait, and those that run and may run again; the
// others are told to stop, and end as interrupted. With a store in memory it is
// schema.ShutdownCancel, for nobody will ever see the tasks again. A client
// cannot ask for it.
const ShutdownInterrupt schema.ShutdownMode = "interrupt"

// cancelPage is how many tasks are cancelled at a time.
const cancelPage = 1000

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
	if mode == ShutdownInterrupt && !e.store.Info().Durable {
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

// settle waits for a shutdown and sees it through. It answers how many tasks
// it leaves in the store.
func (e *Executor) settle(ctx context.Context) (left int64, err error) {
	s := &e.stop
	cancelled := false // all that is left
	var since time.Time
	<-s.changed
	for failures := 0; ; s.await() {
		mode := s.current()
		closed := s.admitting.Load() == shut // nothing is admitted any more
		leave := mode == ShutdownInterrupt || mode == schema.ShutdownFinish && e.store.Info().Durable
		var hitch error
		switch {
		case mode == schema.ShutdownCancel && !cancelled:
			hitch = e.cancelAll(ctx, schema.Queued, schema.Running)
			cancelled = hitch == nil && closed
			e.cancelWorkers()
		case mode == schema.ShutdownFinish && !leave:
			hitch = e.cancelAll(ctx, schema.Queued)
		}
		idle := s.alive.Load() <= e.stuck.Load() // no worker is about to take up a task
		counts, queued, err := e.remaining(ctx, mode)
		if err != nil {
			if failures++; failures == storeTries || errors.Is(err, ErrClosed) {
				e.cancelWorkers() // nobody will see whether they end
				return 0, fmt.Errorf("count the tasks left: %w", err)
			}
			time.AfterFunc(storePause, s.notify)
			continue
		}
		failures, left = 0, counts.Queued+counts.Running
		cancelled = cancelled && counts.Queued == 0 // a submit that was given up may be recorded all the same
		if closed && counts.Running <= e.finishesLost.Load()+e.requeued.Load() && e.finishesPending.Load() == 0 && (queued <= 0 || leave && idle) {
			return left, nil
		}
		if why := e.hopeless(hitch, &since); why != nil {
			return left, fmt.Errorf("tasks left: %d: %w", left, why)
		}
	}
}

// remaining counts the tasks that are left, and how many of the queued ones the
// shutdown waits for: a drain leaves what is not offered here.
func (e *Executor) remaining(ctx context.Context, mode schema.ShutdownMode) (counts Counts, queued int64, err error) {
	if counts, err = e.store.Counts(ctx); err != nil || mode != schema.ShutdownDrain {
		return counts, counts.Queued, err
	}
	others, err := e.claimer.Unclaimable(ctx) // after Counts, so that queued is never too small
	return counts, counts.Queued - others, err
}

// await waits until something has changed, or for a moment: a store does not
// say when it can no longer write.
func (s *shutdown) await() {
	select {
	case <-s.changed:
	case <-time.After(faultPatience):
	}
}

// hopeless says why the tasks that are left do not end: no code runs, and the
// store has not been able to write or to cancel since some time. Since is when
// that was first seen.
func (e *Executor) hopeless(hitch error, since *time.Time) error {
	if fault := e.store.Info().Fault; fault != "" {
		hitch = fmt.Errorf("%w: %s", ErrStoreUnavailable, fault)
	}
	switch {
	case hitch == nil || e.busy():
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
		e.log.Error("the shutdown waits for the store", "error", hitch)
	case time.Since(*since) >= faultPatience:
		return hitch
	}
	return nil
}

// busy reports whether the code of any task runs that was not given up.
func (e *Executor) busy() bool {
	for i := range e.workers {
		if e.workers[i].busy() {
			return true
		}
	}
	return false
}

// stopWorkers tells every task that runs here to stop, whether or not the
// store could be told.
func (e *Executor) stopWorkers(cause error) {
	for i := range e.workers {
		e.workers[i].stop(cause)
	}
}

func (e *Executor) cancelWorkers() { e.stopWorkers(&Cancellation{Reason: shutdownReason}) }

// interrupts reports whether tasks are to be left to the next process.
func (s *shutdown) interrupts() bool { return s.current() == ShutdownInterrupt }

// cancelAll cancels all tasks in the given states, or says why it could not.
func (e *Executor) cancelAll(ctx context.Context, states ...schema.State) error {
	page := PageRequest{Oldest: true, Limit: cancelPage}
	var hitch error
	for {
		found, err := e.store.List(ctx, Filter{States: states}, page)
		if err != nil {
			return fmt.Errorf("list the tasks left: %w", err)
		}
		ids := make([]uuid.UUID, len(found.Tasks))
		for i := range found.Tasks {
			ids[i] = found.Tasks[i].ID
		}
		answers, err := e.store.Cancel(ctx, ids, Cancellation{Reason: shutdownReason})
		if err != nil {
			return fmt.Errorf("cancel the tasks left: %w", err)
		}
		for _, a := range answers {
			switch {
			case a.Outcome == schema.OutcomeCancelled:
				e.rates.ended(schema.Cancelled)
			case a.Err != nil && !errors.Is(a.Err, ErrNotFound):
				hitch = fmt.Errorf("cancel a task left: %w", a.Err)
			}
		}
		if found.Next == "" {
			return hitch
		}
		page.Cursor = found.Next
	}
}

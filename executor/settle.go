package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file carries out a shutdown: it cancels the tasks that the mode does not let
// end by themselves, and waits until no task is left.

// shutdownReason is the reason of the tasks that a shutdown cancels.
const shutdownReason = "shutdown"

// cancelPage is how many tasks are cancelled in one call.
const cancelPage = 1000

// settle waits for a shutdown to begin, and carries it out. It answers how many
// tasks it leaves in the store.
func (e *Executor) settle(ctx context.Context) (left int64, err error) {
	s := &e.stop
	cancelled := false // all that is left
	var since time.Time
	<-s.changed
	for failures := 0; ; s.await() {
		mode := s.current()
		closed := s.admitting.Load() == shut // nothing is admitted any more
		var hitch error
		if mode != schema.ShutdownCancel || !cancelled {
			hitch = e.cancelFor(ctx, mode)
			cancelled = mode == schema.ShutdownCancel && hitch == nil && closed
		}
		r, err := e.remaining(ctx, mode)
		if err != nil {
			if failures++; failures == storeTries || errors.Is(err, ErrClosed) {
				e.cancelWorkers() // nobody will see whether they end
				return 0, fmt.Errorf("count the tasks left: %w", err)
			}
			time.AfterFunc(storePause, s.notify)
			continue
		}
		failures, left = 0, r.left
		s.noteUnrun(r.unrun)
		cancelled = cancelled && r.queued == 0 // a submit that was given up may be recorded all the same
		if closed && r.queued <= 0 && r.running <= 0 && e.finishesPending.Load() == 0 {
			return left, nil
		}
		if why := e.hopeless(hitch, &since); why != nil {
			return left, fmt.Errorf("tasks left: %d: %w", left, why)
		}
	}
}

// cancelFor cancels the tasks that the mode does not let end by themselves. Of a
// shared store it cancels only those that run here. It answers why a task could not
// be cancelled.
func (e *Executor) cancelFor(ctx context.Context, mode schema.ShutdownMode) (hitch error) {
	info := e.store.Info()
	switch mode {
	case schema.ShutdownCancel:
		if !info.Shared {
			hitch = e.cancelStates(ctx, schema.Queued, schema.Running)
		}
		e.cancelWorkers()
	case shutdownStop:
		if !info.Shared {
			hitch = e.cancelStates(ctx, schema.Running)
		}
		e.cancelWorkers()
	case schema.ShutdownFinish:
		if !info.Durable && !info.Shared {
			hitch = e.cancelStates(ctx, schema.Queued)
		}
	}
	return hitch
}

// remaining are the tasks that are left in the store: those that a shutdown waits
// for, and all that it leaves.
type remaining struct {
	queued, running, left int64
	unrun                 int64 // tasks that the store has ended, since it was opened
}

func (e *Executor) remaining(ctx context.Context, mode schema.ShutdownMode) (r remaining, err error) {
	info := e.store.Info()
	here := e.stop.alive.Load() - e.stuck.Load()      // workers that have, or may yet take up, a task
	stay := e.finishesLost.Load() + e.requeued.Load() // tasks that are Running in the store, but that no worker has
	if info.Shared {
		return remaining{running: here, left: stay}, nil
	}
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return r, err
	}
	r = remaining{unrun: counts.Unrun, queued: counts.Queued, running: counts.Running - stay, left: counts.Queued + counts.Running}
	switch {
	case mode == ShutdownInterrupt, mode == shutdownStop, mode == schema.ShutdownFinish && info.Durable:
		r.queued = min(r.queued, max(here, 0)) // the queue stays, except tasks that workers are about to claim
	case mode == schema.ShutdownDrain && r.running <= 0:
		var others int64
		others, err = e.claimer.Unclaimable(ctx, schema.Time(e.stop.deadline.Load())) // after Counts, so that queued is never too small
		r.queued -= others
	}
	return r, err
}

// noteUnrun counts the tasks that the store has ended since the first call.
func (s *shutdown) noteUnrun(now int64) {
	if !s.counted {
		s.counted, s.unrunBefore = true, now
	}
	s.unrun = now - s.unrunBefore
}

// await waits for a change, and at most faultPatience: a store does not say when it
// can no longer write.
func (s *shutdown) await() {
	select {
	case <-s.changed:
	case <-time.After(faultPatience):
	}
}

// hopeless answers why the tasks that are left will not end, or nil. They will not
// end if no code runs and the store could not write or cancel for faultPatience.
// since keeps the time when hopeless first saw this.
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

// busy reports whether the code of any task runs and was not given up.
func (e *Executor) busy() bool {
	for i := range e.workers {
		if e.workers[i].busy() {
			return true
		}
	}
	return false
}

// stopWorkers tells all tasks that run here to stop. It does not need the store.
func (e *Executor) stopWorkers(cause error) {
	for i := range e.workers {
		e.workers[i].stop(cause)
	}
}

func (e *Executor) cancelWorkers() { e.stopWorkers(&Cancellation{Reason: shutdownReason}) }

// interrupts reports whether the mode leaves tasks to the store's next process.
func (s *shutdown) interrupts() bool { return s.current() == ShutdownInterrupt }

// cancelStates cancels all tasks in the given states, or says why it could not.
func (e *Executor) cancelStates(ctx context.Context, states ...schema.State) error {
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
		for len(ids) > 0 {
			answers, err := e.cancelTasks(ctx, ids, Cancellation{Reason: shutdownReason})
			if err != nil {
				return fmt.Errorf("cancel the tasks left: %w", err)
			}
			for _, a := range answers {
				if a.Err != nil && !errors.Is(a.Err, ErrNotFound) {
					hitch = fmt.Errorf("cancel a task left: %w", a.Err)
				}
			}
			ids = ids[len(answers):]
		}
		if found.Next == "" {
			return hitch
		}
		page.Cursor = found.Next
	}
}

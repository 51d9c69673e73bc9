package executor

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// This file has the end of an attempt.

// end makes the task final with what its code returned, unless it was given up.
func (r *run) end(result jsontext.Value, err error) {
	if err == nil {
		err = r.executor.checkResult(r.typ, result)
	}
	r.mu.Lock()
	r.ended = true
	settled := r.settled
	r.settled = true
	if r.gaveUp {
		r.executor.stuck.Add(-1)
		if r.requeued {
			r.executor.stuckRequeued.Add(-1)
		}
	}
	var cause error
	var noted chan struct{}
	if s := r.stopping; s != nil {
		if cause, noted = s.told, s.noted; s.grace != nil {
			s.grace.Stop()
		}
	}
	gate := r.progress
	r.mu.Unlock()
	if gate != nil {
		gate.close(r.sendProgress)
	}
	if settled {
		if noted != nil { // before the slot is free, or two tasks would be seen to run in it
			<-noted
		}
		return
	}
	o, final := Outcome{State: schema.Completed, Result: result}, true
	if err != nil {
		o, final = r.failed(cause, err)
	}
	if final {
		if again := r.again(o, err); again != nil {
			r.pending()
			r.worker.ended = Ended{Lease: r.lease, Next: again, Recorded: r.queuedAgain}
		} else {
			r.finishing(o)
			r.worker.ended = Ended{Lease: r.lease, Outcome: o, Recorded: r.recorded}
		}
	}
	r.expire(context.Canceled)
}

// requeuesOnRestart reports whether a task that was told to stop is left to the
// store's next process, which queues it again.
func (r *run) requeuesOnRestart(cause error) bool {
	return cause == ErrInterrupted && r.record.RunsAgain()
}

// again is the attempt that follows this one, which has ended with an error of the code, or nil.
func (r *run) again(o Outcome, err error) *NextAttempt {
	if o.State != schema.Failed {
		return nil
	}
	again := follows(r.record.policy(), r.record.spent(), o.Error, adviceOf(err), schema.Now(), rand.Uint32())
	if again != nil {
		again.InputEnded = r.inputEnded()
	}
	return again
}

// failed is how the task ends with the error of its code. It is not final if it was
// interrupted and is to run again.
func (r *run) failed(cause, err error) (o Outcome, final bool) {
	if r.requeuesOnRestart(cause) {
		r.executor.requeue()
		return Outcome{}, false
	}
	return failed(cause, err), true
}

// finishing notes that the store is about to record the task's end.
func (r *run) finishing(o Outcome) {
	r.state = o.State
	r.pending()
}

// pending notes that the store is about to record something.
func (r *run) pending() {
	r.executor.finishesPending.Add(1)
	r.executor.stop.notify()
}

// queuedAgain is called when the store has recorded that another attempt follows, or could not.
func (r *run) queuedAgain(err error) {
	switch {
	case err == nil:
		r.executor.finishesPending.Add(-1)
		r.executor.stop.notify()
	case errors.Is(err, ErrCancelRequested):
		r.state = schema.Cancelled
		r.recorded(nil)
	default:
		r.recorded(err)
	}
}

// recorded is called when the store has recorded the task's end, or could not.
func (r *run) recorded(err error) {
	e := r.executor
	e.vault.end(r.record.ID)
	switch {
	case err == nil:
		e.rates.ended(r.state)
	case !errors.Is(err, ErrLeaseLost): // then it is another worker's
		e.log.Error("the end of a task could not be recorded", "task", r.record.ID, "error", err)
		e.finishesLost.Add(1)
	}
	e.finishesPending.Add(-1)
	e.stop.notify()
}

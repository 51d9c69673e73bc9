package kit

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Interrupted is the error of an attempt whose process died. began is zero if it is not known whether it had
// begun. on is nil if the store has only one process.
func Interrupted(began schema.Time, on *schema.RunsOn) *schema.TaskError {
	e := &schema.TaskError{
		Kind: schema.KindInterrupted, Retryable: true,
		Message: "the executor ended while the task ran; how far the task came is not known",
	}
	if on != nil {
		e.Message = "the executor " + on.Executor + " ended while the task ran; how far the task came is not known"
	}
	if began.IsZero() {
		e.Message = "the system ended as the task was about to begin, or had begun; how far the task came is not known"
	}
	return e
}

// Interruption is the outcome of a task whose process died, and that does not run again. cancelled is when a
// cancel was requested, or zero.
func Interruption(began, cancelled schema.Time, reason string, on *schema.RunsOn) executor.Outcome {
	if cancelled.IsZero() {
		return executor.Outcome{State: schema.Failed, Error: Interrupted(began, on)}
	}
	o := (&executor.Cancellation{Reason: reason}).Outcome()
	o.Error.Message += "; the executor ended before the task did"
	return o
}

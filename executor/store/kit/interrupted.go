package kit

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Interrupted is why an attempt ended whose process died. It began at a time, or at a time that is
// not known. The process is nil where it is the only one of its store.
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

// Interruption is the end of a task whose process died, and that does not run again. A cancel was
// asked for at a time, which may be zero.
func Interruption(began, cancelled schema.Time, reason string, on *schema.RunsOn) executor.Outcome {
	if cancelled.IsZero() {
		return executor.Outcome{State: schema.Failed, Error: Interrupted(began, on)}
	}
	o := (&executor.Cancellation{Reason: reason}).Outcome()
	o.Error.Message += "; the executor ended before the task did"
	return o
}

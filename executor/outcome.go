package executor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jobline/jobline/schema"
)

// Outcome is the end of a task that was cancelled.
func (c *Cancellation) Outcome() Outcome {
	return Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled, Message: c.Error()}}
}

// failed is the outcome of code that returned an error, given the cause for
// which it was told to stop, or nil. A task that was told to stop and
// returned an error was stopped; one that returned its result all the same has
// completed, since its work is done.
func failed(cause, err error) Outcome {
	e := taskError(err)
	switch {
	case errors.Is(cause, ErrTimeout):
		e.Kind, e.Retryable = schema.KindTimeout, true
		e.Message = describe(ErrTimeout, e, err)
	case errors.Is(cause, ErrInterrupted):
		e.Kind, e.Retryable = schema.KindInterrupted, true
		e.Message = describe(ErrInterrupted, e, err)
	case cause != nil:
		e.Kind, e.Retryable = schema.KindCancelled, false
		e.Message = describe(cause, e, err)
		return Outcome{State: schema.Cancelled, Error: e}
	}
	return Outcome{State: schema.Failed, Error: e}
}

// describe leads with why the task was stopped, and adds what the code said
// of it where that is more than the context's own error.
func describe(cause error, e *schema.TaskError, err error) string {
	if endOfContext(err) || e.Message == cause.Error() {
		return cause.Error()
	}
	return cause.Error() + "; " + e.Message
}

// maxErrorText bounds each text of a task's error, and the reason of a cancel,
// in bytes: they go to every client that asks, and into every list.
const maxErrorText = 64 << 10

// answered is an error of a task's code that was asked once for all that it has
// to say. Its methods are the task's code, too: they may panic, as those of a nil
// pointer do, and so are called only where that ends nothing but the task.
type answered struct {
	*Failure
	stopped bool // it is the context's error
	advice  advice
}

// heard asks an error.
func heard(err error) error {
	return answered{&Failure{*taskError(err)}, endOfContext(err), adviceOf(err)}
}

// Is makes errors.Is(err, context.Canceled) true where it was.
func (a answered) Is(target error) bool { return a.stopped && target == context.Canceled }

func (a answered) Unwrap() error { return a.Failure }

func endOfContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func taskError(err error) *schema.TaskError {
	e := schema.TaskError{Message: err.Error()}
	if f, ok := errors.AsType[*Failure](err); ok {
		e = f.TaskError
	}
	if !slices.Contains(schema.ErrorKinds[:], e.Kind) { // clients know no others
		e.Kind = schema.KindTaskError
	}
	for _, text := range []*string{&e.Message, &e.Signal, &e.StderrTail, &e.Errno} {
		*text = clean(*text)
	}
	return &e
}

// clean makes text fit for JSON and for lists: what is not UTF-8 becomes
// U+FFFD, and what is more than maxErrorText is left out.
func clean(text string) string {
	return schema.CutBytes(strings.ToValidUTF8(text, "\uFFFD"), maxErrorText)
}

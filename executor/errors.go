package executor

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Errors of asking.
var (
	ErrNotFound   = errors.New("task not found")
	ErrIDConflict = errors.New("another task has this id")
	ErrQueueFull  = errors.New("the queue is full")
	// ErrTaskGone says that a task with this id has ended and is no longer kept:
	// what it was, and whether it is the one that is submitted, is not known.
	ErrTaskGone     = errors.New("a task with this id has ended and is no longer kept")
	ErrShuttingDown = errors.New("the executor is shutting down")
)

// Errors of a store.
var (
	ErrStoreUnavailable = errors.New("the store is unavailable")
	// ErrOutcomeUnknown says that a change was on its way when its time was over: it may be done, or
	// be done later. It comes together with ErrStoreUnavailable.
	ErrOutcomeUnknown = errors.New("whether the change is done is not known")
	// ErrDamaged says that a record is not what was written. It stays so.
	ErrDamaged   = errors.New("the record is damaged")
	ErrClosed    = errors.New("the store is closed")
	ErrLeaseLost = errors.New("the task is no longer this worker's")
	// ErrCancelRequested says that an attempt was not followed by another one, because a cancel
	// was asked for: the task has ended as Cancelled.
	ErrCancelRequested = errors.New("a cancel was asked for, so no other attempt follows")
)

// ErrNotPermitted says that this process may not make a change of a store that others share.
var ErrNotPermitted = errors.New("this is not permitted")

// ErrTimeout is the cause of the context of a task whose time is over.
var ErrTimeout = errors.New("the time-out of the task passed")

// ErrInterrupted is the cause of the context of a task whose executor has to
// end, though nobody asked for the task to be cancelled.
var ErrInterrupted = errors.New("the executor had to end while the task ran")

// EventsGoneError says that the end of a task after a sequence number is no
// longer kept. Oldest is the least number that can be asked for.
type EventsGoneError struct{ After, Oldest uint64 }

func (e *EventsGoneError) Error() string {
	return fmt.Sprintf("events after %d are no longer kept; the oldest number to ask for is %d", e.After, e.Oldest)
}

// InputError says how params or the input of a task are wrong.
type InputError struct {
	// What is wrong: "params" or "input".
	What       string
	Violations []schema.Violation
	// Suggestions are known names close to an unknown one.
	Suggestions []string
}

func (e *InputError) Error() string {
	var b strings.Builder
	b.WriteString(cmp.Or(e.What, "params"))
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString(";")
		}
		switch {
		case v.Pointer != "":
			b.WriteString(" at " + onOneLine(v.Pointer) + ": " + v.Message)
		case i == 0:
			b.WriteString(": " + v.Message)
		default:
			b.WriteString(" " + v.Message)
		}
	}
	return b.String()
}

// onOneLine is a pointer as a person reads it. A name in it that a client has made up may have control
// characters.
func onOneLine(pointer string) string {
	if !strings.ContainsFunc(pointer, unicode.IsControl) {
		return pointer
	}
	return strconv.Quote(pointer)
}

// UnknownTypeError says that no type has the name.
type UnknownTypeError struct {
	Name        string
	Suggestions []string
}

func (e *UnknownTypeError) Error() string {
	text := fmt.Sprintf("no task type is named %q", schema.Cut(e.Name))
	if len(e.Suggestions) > 0 {
		return text + "; did you mean " + strings.Join(e.Suggestions, " or ") + "?"
	}
	return text + "; the method types lists them"
}

// NotPermittedError says that a type exists but this server does not offer it.
type NotPermittedError struct{ Name string }

func (e *NotPermittedError) Error() string {
	return fmt.Sprintf("the task type %q is not permitted on this server", e.Name)
}

// TooLargeError says which limit was passed, and by what.
type TooLargeError struct {
	What  string
	Size  int64
	Limit int64
	Cure  string // what can be done about it, or ""
}

func (e *TooLargeError) Error() string {
	text := fmt.Sprintf("%s: %d; the limit is %d", e.What, e.Size, e.Limit)
	if e.Cure != "" {
		text += "; " + e.Cure
	}
	return text
}

// FullError says which limit on what is waiting was reached. It is an ErrQueueFull.
type FullError struct {
	What  string
	Limit int64
	Cure  string // what can be done about it
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%s would pass the limit of %d: %s", e.What, e.Limit, e.Cure)
}

// Is makes errors.Is(err, ErrQueueFull) true.
func (e *FullError) Is(target error) bool { return target == ErrQueueFull }

// DuplicateError says that there is a task of a dedupe key already, and which.
type DuplicateError struct {
	Key string
	ID  uuid.UUID
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("a task of the dedupe key %q is there already: %v", schema.Cut(e.Key), e.ID)
}

// Failure is an error of a task's code that says itself how the task's error
// is to look. A task whose code returns any other error, or a Failure whose Kind
// is none of schema.ErrorKinds, fails with kind taskError.
type Failure struct{ schema.TaskError }

func (f *Failure) Error() string { return f.Message }

// UnknownDependency is the error of a submit of a task that comes after another one, which
// is not known. It is at this place in After.
func UnknownDependency(place int, id uuid.UUID, why error) error {
	message := fmt.Sprintf("%v is not known; submit it before, or leave it out", id)
	if errors.Is(why, ErrTaskGone) {
		message = fmt.Sprintf("%v has ended and is no longer kept, so how it ended is not known; leave it out", id)
	}
	return &InputError{Violations: []schema.Violation{{Pointer: fmt.Sprintf("/after/%d", place), Message: message}}}
}

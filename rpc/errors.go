package rpc

import (
	"errors"
	"fmt"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Error is a JSON-RPC error as it crosses the wire.
type Error struct {
	Code    schema.Code      `json:"code"`
	Message string           `json:"message"`
	Data    schema.ErrorData `json:"data"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// newError is an error with the kind that belongs to its code.
func newError(code schema.Code, format string, args ...any) *Error {
	e := &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	for _, known := range schema.Codes {
		if known.Code == code {
			e.Data = schema.ErrorData{Kind: known.Kind, Retryable: known.Retryable}
		}
	}
	return e
}

// codes is the only place where errors of the executor get their codes.
var codes = []struct {
	err  error
	code schema.Code
	cure string
}{
	{executor.ErrDamaged, schema.CodeStoreUnavailable, "put a backup of the store in its place"},
	{executor.ErrNotFound, schema.CodeTaskNotFound, "the id is wrong, or the task is no longer kept"},
	{executor.ErrIDConflict, schema.CodeIDConflict, "it has another type or input; choose a new id"},
	{executor.ErrTaskGone, schema.CodeTaskGone, "it was not run again; to run it again choose a new id"},
	{executor.ErrQueueFull, schema.CodeQueueFull, "try again when tasks have finished, or raise --max-queued"},
	{executor.ErrShuttingDown, schema.CodeShuttingDown, "start another server"},
	{executor.ErrStoreUnavailable, schema.CodeStoreUnavailable, "it was not done; try again"},
	{executor.ErrClosed, schema.CodeShuttingDown, "start another server"},
}

// wireError makes a JSON-RPC error of any error.
func wireError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*executor.InputError](err); ok {
		wire := newError(schema.CodeInvalidParams, "%s", e.Error())
		wire.Data.Violations, wire.Data.Suggestions = e.Violations, e.Suggestions
		return wire
	}
	if e, ok := errors.AsType[*executor.UnknownTypeError](err); ok {
		wire := newError(schema.CodeUnknownType, "%s", e.Error())
		wire.Data.Suggestions = e.Suggestions
		return wire
	}
	if e, ok := errors.AsType[*executor.NotPermittedError](err); ok {
		return newError(schema.CodeNotPermitted, "%s", e.Error())
	}
	if e, ok := errors.AsType[*executor.TooLargeError](err); ok {
		wire := newError(schema.CodeTooLarge, "%s", e.Error())
		wire.Data.Limit = e.Limit
		return wire
	}
	if e, ok := errors.AsType[*executor.EventsGoneError](err); ok {
		wire := newError(schema.CodeEventsGone, "%s; the method list shows what there is", e.Error())
		wire.Data.Oldest = e.Oldest
		return wire
	}
	if e, ok := errors.AsType[*badMessage](err); ok {
		wire := newError(e.code, "%s", e.text)
		wire.Data.Limit = e.over
		return wire
	}
	for _, known := range codes {
		if errors.Is(err, known.err) {
			wire := newError(known.code, "%s: %s", err.Error(), known.cure)
			wire.Data.Retryable = wire.Data.Retryable && !errors.Is(err, executor.ErrDamaged)
			return wire
		}
	}
	return newError(schema.CodeInternal, "internal error; the server's log says more")
}

// appendError appends a response with an error. A nil id is null.
func appendError(b, id []byte, e *Error) []byte {
	if id == nil {
		id = []byte("null")
	}
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"error":`...)
	b = appendJSON(b, e)
	return append(b, '}')
}

package rpc

import (
	"errors"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// codes maps errors of the executor to codes, and adds the cure to the message.
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
	{executor.ErrNotPermitted, schema.CodeNotPermitted, ""}, // who refuses it says the cure
	{executor.ErrOutcomeUnknown, schema.CodeStoreUnavailable, "look with status, or send it again: a submit with the same id counts once"},
	{executor.ErrStoreUnavailable, schema.CodeStoreUnavailable, "it was not done; try again"},
	{executor.ErrClosed, schema.CodeShuttingDown, "start another server"},
}

// wireError makes a JSON-RPC error of any error.
func wireError(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*executor.InputError](err); ok {
		answer := wire.NewError(schema.CodeInvalidParams, "%s", e.Error())
		answer.Data.Violations, answer.Data.Suggestions = e.Violations, e.Suggestions
		return answer
	}
	if e, ok := errors.AsType[*executor.UnknownTypeError](err); ok {
		answer := wire.NewError(schema.CodeUnknownType, "%s", e.Error())
		answer.Data.Suggestions = e.Suggestions
		return answer
	}
	if e, ok := errors.AsType[*executor.NotPermittedError](err); ok {
		return wire.NewError(schema.CodeNotPermitted, "%s", e.Error())
	}
	if e, ok := errors.AsType[*executor.UnreachableError](err); ok {
		answer := wire.NewError(schema.CodeNotPermitted, "%s", err.Error())
		answer.Data.Retryable = e.Retryable
		return answer
	}
	if e, ok := errors.AsType[*executor.TooLargeError](err); ok {
		answer := wire.NewError(schema.CodeTooLarge, "%s", e.Error())
		answer.Data.Limit = e.Limit
		return answer
	}
	if e, ok := errors.AsType[*executor.FullError](err); ok {
		answer := wire.NewError(schema.CodeQueueFull, "%s", e.Error())
		answer.Data.Limit = e.Limit
		return answer
	}
	if e, ok := errors.AsType[*executor.DuplicateError](err); ok {
		answer := wire.NewError(schema.CodeDuplicate, "%s; wait for its end, or reuse or replace it by dedupe.on", e.Error())
		answer.Data.ID = e.ID
		return answer
	}
	if e, ok := errors.AsType[*executor.NotQueuedError](err); ok {
		cure := "retry submits it again"
		if e.State == schema.Running {
			cure = "cancel it, or wait for its end"
		}
		return wire.NewError(schema.CodeNotQueued, "%s: %s", err.Error(), cure)
	}
	if e, ok := errors.AsType[*executor.EventsGoneError](err); ok {
		answer := wire.NewError(schema.CodeEventsGone, "%s; the method list shows what there is", e.Error())
		answer.Data.Oldest = e.Oldest
		return answer
	}
	if e, ok := errors.AsType[*wire.BadMessage](err); ok {
		return e.Answer()
	}
	for _, known := range codes {
		if errors.Is(err, known.err) {
			answer := wire.NewError(known.code, "%s", err.Error())
			if known.cure != "" {
				answer.Message += ": " + known.cure
			}
			answer.Data.OutcomeUnknown = known.err == executor.ErrOutcomeUnknown
			answer.Data.Retryable = answer.Data.Retryable && !errors.Is(err, executor.ErrDamaged) && !answer.Data.OutcomeUnknown
			return answer
		}
	}
	return wire.NewError(schema.CodeInternal, "internal error; the server's log says more")
}

package schema

import "github.com/google/uuid"

// Code is the code of a JSON-RPC error. Negative codes are those of JSON-RPC 2.0 and of the
// Language Server Protocol. Positive codes are jobline's own.
type Code int

// The codes of errors.
const (
	CodeParse            Code = -32700
	CodeInvalidRequest   Code = -32600
	CodeMethodNotFound   Code = -32601
	CodeInvalidParams    Code = -32602
	CodeInternal         Code = -32603
	CodeRequestCancelled Code = -32800

	CodeTaskNotFound     Code = 1001
	CodeUnknownType      Code = 1002
	CodeIDConflict       Code = 1003
	CodeQueueFull        Code = 1004
	CodeShuttingDown     Code = 1005
	CodeNotPermitted     Code = 1006
	CodeTooLarge         Code = 1007
	CodeStoreUnavailable Code = 1008
	CodeEventsGone       Code = 1009
	CodeTaskGone         Code = 1010
	CodeDuplicate        Code = 1011
	CodeNotQueued        Code = 1012
)

// Codes lists every code, with the kind that is in error.data.
var Codes = []struct {
	Code      Code
	Kind      string
	Retryable bool
	Meaning   string
}{
	{CodeParse, "parseError", false, "the message is not JSON"},
	{CodeInvalidRequest, "invalidRequest", false, "the message is JSON but not a request"},
	{CodeMethodNotFound, "methodNotFound", false, "there is no such method"},
	{CodeInvalidParams, "invalidParams", false, "the params, or the task's input, are wrong"},
	{CodeInternal, "internalError", false, "a fault of the server; its log says more"},
	{CodeRequestCancelled, "requestCancelled", true, "the request was ended by $/cancelRequest"},
	{CodeTaskNotFound, "taskNotFound", false, "no task has this id, or it is no longer kept"},
	{CodeUnknownType, "unknownType", false, "no task type has this name"},
	{CodeIDConflict, "idConflict", false, "another task has this id"},
	{CodeQueueFull, "queueFull", true, "a queue is at its limit"},
	{CodeShuttingDown, "shuttingDown", false, "the server admits no more tasks"},
	{CodeNotPermitted, "notPermitted", false, "this server was told not to offer it"},
	{CodeTooLarge, "tooLarge", false, "a limit of size was passed"},
	{CodeStoreUnavailable, "storeUnavailable", true, "the store cannot record it now"},
	{CodeEventsGone, "eventsGone", false, "events after this seq are no longer kept"},
	{CodeTaskGone, "taskGone", false, "a task with this id has ended and is no longer kept"},
	{CodeDuplicate, "duplicate", false, "there is a task of this dedupe key already"},
	{CodeNotQueued, "notQueued", false, "the task does not wait, so it cannot be changed"},
}

// Violation is one way in which a value breaks its schema. Pointer is the JSON Pointer (RFC 6901)
// of the wrong place in the value; "" is the whole value.
type Violation struct {
	Pointer string `json:"pointer" jsonschema:"the JSON Pointer of the place; empty for the whole value"`
	Message string `json:"message" jsonschema:"what is wrong and what is wanted"`
}

// ErrorData is the data of every JSON-RPC error.
type ErrorData struct {
	Kind      string `json:"kind" jsonschema:"the name of the code"`
	Retryable bool   `json:"retryable" jsonschema:"whether the same request may succeed later"`
	// Violations belong to CodeInvalidParams: how the params break their schema.
	Violations []Violation `json:"violations,omitzero" jsonschema:"how params or input break their schema; of -32602"`
	// Limit belongs to CodeTooLarge and CodeQueueFull: the limit that was exceeded.
	Limit int64 `json:"limit,omitzero" jsonschema:"the limit that was passed; of tooLarge and queueFull" schema:"minimum=0"`
	// Oldest belongs to CodeEventsGone: the least seq after which a client can subscribe.
	Oldest uint64 `json:"oldest,omitzero" jsonschema:"the least seq to subscribe after; of eventsGone"`
	// Suggestions are known names that are similar to an unknown one.
	Suggestions []string `json:"suggestions,omitzero" jsonschema:"known names close to an unknown one"`
	// OutcomeUnknown belongs to CodeStoreUnavailable: the change was on its way when its time was over. It
	// may be done, or be done later. A submit can be sent again with the same id.
	OutcomeUnknown bool `json:"outcomeUnknown,omitzero" jsonschema:"whether it is not known if the change is done; of storeUnavailable"`
	// ID belongs to CodeDuplicate: the task of the dedupe key.
	ID uuid.UUID `json:"id,omitzero" jsonschema:"the task that is there already; of duplicate"`
}

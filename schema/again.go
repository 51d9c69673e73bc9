package schema

import "github.com/google/uuid"

// RetryParams asks for another run of tasks that have ended.
type RetryParams struct {
	// Exactly one of ID and IDs is given.
	ID  uuid.UUID   `json:"id,omitzero" jsonschema:"the id of the task; not with ids"`
	IDs []uuid.UUID `json:"ids,omitzero" jsonschema:"the ids of the tasks; not with id" schema:"minItems=1,maxItems=10000"`
	// Dependents adds those that have failed because of the tasks, and so on down the graph.
	Dependents bool `json:"dependents,omitzero" jsonschema:"whether to run those again, too, that have failed because of the tasks, and so on" schema:"default=false"`
	Force      bool `json:"force,omitzero" jsonschema:"whether to run those of ids again, too, that have completed, and those that have failed because of a task that does not run again" schema:"default=false"`
	// Hidden are the values that the inputs have hidden, by name: the server no longer has them.
	Hidden map[string]string `json:"hidden,omitzero" jsonschema:"the values that the inputs have hidden, by their names; the server no longer has them" schema:"maxProperties=1000"`
	// RequestID makes the request idempotent: sent once more, it is answered with the same tasks.
	RequestID uuid.UUID `json:"requestId,omitzero" jsonschema:"a UUID that the client has made for this request; where it is sent again, nothing is submitted twice, and the answer has the same tasks"`
}

// RetryResult has the new tasks.
type RetryResult struct {
	Tasks []Task `json:"tasks" jsonschema:"the new tasks, each after those that it comes after; retryOf of their conditions is the task of which it is another run"`
	// Existing says that the same request has made them before.
	Existing bool `json:"existing,omitzero" jsonschema:"whether the same request, by its requestId, has made the tasks before"`
}

package schema

import "github.com/google/uuid"

// UpdateParams changes a queued task. A member that is absent stays as it is.
type UpdateParams struct {
	ID       uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Priority *int      `json:"priority,omitzero" jsonschema:"higher runs first; as it was where absent" schema:"minimum=-100,maximum=100"`
	RunAt    Time      `json:"runAt,omitzero" jsonschema:"the task does not run before this time; of one that waits for its next attempt, the time of that"`
	DelayMs  *int64    `json:"delayMs,omitzero" jsonschema:"in place of runAt: so many milliseconds from now; 0 is no time to wait for" schema:"minimum=0,maximum=315360000000"`
	// ExpiresAt and ExpireMs are refused for a task that has begun.
	ExpiresAt Time   `json:"expiresAt,omitzero" jsonschema:"if the task has not started by then, it fails with kind expired"`
	ExpireMs  *int64 `json:"expireMs,omitzero" jsonschema:"in place of expiresAt: so many milliseconds from now; 0 is never" schema:"minimum=0,maximum=315360000000"`
	// Labels are merged into those of the task.
	Labels map[string]string `json:"labels,omitzero" jsonschema:"labels to add, or to put in the place of those with the same names; one with an empty value is removed" schema:"maxProperties=32,maxLength=256"`
	Group  *string           `json:"group,omitzero" jsonschema:"the group in which the task counts; an empty one is none; as it was where absent" schema:"maxLength=256"`
	// On takes the place of all that the task asked for.
	On map[string]string `json:"on,omitzero" jsonschema:"the labels that an executor must have to run the task, in place of all that it asked for; {} for none; as it was where absent" schema:"maxProperties=16,maxLength=256"`
}

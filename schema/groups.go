package schema

import "github.com/google/uuid"

// Rate is how many tasks may begin within any time of a length.
type Rate struct {
	Count int   `json:"count" jsonschema:"how many tasks may begin; 0 is no limit" schema:"minimum=0,maximum=10000"`
	PerMs int64 `json:"perMs,omitzero" jsonschema:"within any so many milliseconds; more than 0 where there is a count" schema:"minimum=0,maximum=315360000000"`
}

// SetGroupParams changes settings of a group. A member that is nil stays as it is.
type SetGroupParams struct {
	Name   string `json:"name" jsonschema:"the name of the group, as tasks give it" schema:"minLength=1,maxLength=256"`
	Limit  *int   `json:"limit,omitzero" jsonschema:"how many of its tasks run at once; 0 is no limit; as it was where absent" schema:"minimum=0,maximum=1000000"`
	Paused *bool  `json:"paused,omitzero" jsonschema:"whether none of its tasks begins; as it was where absent"`
	Rate   *Rate  `json:"rate,omitzero" jsonschema:"how many of its tasks may begin in a time; as it was where absent"`
	// Defaults take the place of all that the group had.
	Defaults *GroupDefaults `json:"defaults,omitzero" jsonschema:"what its tasks have where neither their submit nor their type says; {} for nothing; as it was where absent"`
}

// GroupDefaults are what a group gives to its tasks when they are submitted. What the submit says
// goes before, and then what the type says. The zero value of a member says nothing.
type GroupDefaults struct {
	Priority  int              `json:"priority,omitzero" jsonschema:"the priority of a task that is submitted with none" schema:"minimum=-100,maximum=100"`
	TimeoutMs int64            `json:"timeoutMs,omitzero" jsonschema:"bounds each attempt of a task that has no other time-out, in milliseconds" schema:"minimum=0,maximum=315360000000"`
	ExpireMs  int64            `json:"expireMs,omitzero" jsonschema:"a task that has not started so many milliseconds after its submit, or after its runAt, fails with kind expired" schema:"minimum=0,maximum=315360000000"`
	Key       string           `json:"key,omitzero" jsonschema:"the key of a task that has none" schema:"maxLength=256"`
	Needs     map[string]int64 `json:"needs,omitzero" jsonschema:"what a task needs that does not say what it needs" schema:"maxProperties=16,minimum=1"`
	// On is taken for a task that does not say it, as Needs.
	On    map[string]string `json:"on,omitzero" jsonschema:"the labels that an executor must have, of a task that does not say: each with this value" schema:"maxProperties=16,maxLength=256"`
	Retry *Retry            `json:"retry,omitzero" jsonschema:"whether and when a task is tried again that does not say"`
}

// Group is a group of tasks: its settings, and how many of its tasks run or are ready.
type Group struct {
	Name   string `json:"name" jsonschema:"the name of the group"`
	Limit  int    `json:"limit,omitzero" jsonschema:"how many of its tasks run at once; absent for no limit" schema:"minimum=0"`
	Paused bool   `json:"paused,omitzero" jsonschema:"whether none of its tasks begins"`
	// Rate is nil for no limit.
	Rate *Rate `json:"rate,omitzero" jsonschema:"how many of its tasks may begin in a time; absent for no limit"`
	// Defaults are nil where there are none.
	Defaults *GroupDefaults `json:"defaults,omitzero" jsonschema:"what its tasks have where neither their submit nor their type says; absent for nothing"`
	Running  int            `json:"running" jsonschema:"tasks of it that run" schema:"minimum=0"`
	// Ready counts those that wait for nothing but their turn in the group, resources and a slot.
	Ready int `json:"ready" jsonschema:"tasks of it that wait for nothing but their turn in the group, resources and a slot" schema:"minimum=0"`
}

// GroupsParams asks for groups, sorted by name.
type GroupsParams struct {
	Limit  int    `json:"limit,omitzero" jsonschema:"the most groups to answer with" schema:"minimum=1,maximum=1000,default=100"`
	Cursor string `json:"cursor,omitzero" jsonschema:"the nextCursor of the page before"`
}

// GroupsResult is a page of groups, and what holds for all tasks.
type GroupsResult struct {
	// Paused is whether no task at all begins.
	Paused bool    `json:"paused" jsonschema:"whether everything is paused"`
	Groups []Group `json:"groups" jsonschema:"the groups that have settings, or tasks that run or are ready, sorted by name"`
	// Resources are sorted by name.
	Resources  []Resource `json:"resources" jsonschema:"the resources that tasks can need, sorted by name"`
	NextCursor string     `json:"nextCursor,omitzero" jsonschema:"where to go on; absent at the end"`
}

// Resource is something that tasks need while they run.
type Resource struct {
	Name  string `json:"name" jsonschema:"the name of the resource"`
	Total int64  `json:"total" jsonschema:"how much there is of it" schema:"minimum=0"`
	Used  int64  `json:"used" jsonschema:"how much of it tasks have that run" schema:"minimum=0"`
}

// PauseParams names what is paused or resumed.
type PauseParams struct {
	Group string `json:"group,omitzero" jsonschema:"the name of the group; absent for all tasks" schema:"minLength=1,maxLength=256"`
}

// ExplainParams asks why a task waits.
type ExplainParams struct {
	ID uuid.UUID `json:"id" jsonschema:"the id of the task"`
}

// ExplainResult says what a task waits for, what that waits for, and so on.
type ExplainResult struct {
	Chain []Link `json:"chain" jsonschema:"the task, the task that it waits for, and so on: the last waits for no other task, and holds them all up; at most 100" schema:"minItems=1,maxItems=100"`
	// Truncated is true where the last of the chain waits for a task that is not in it.
	Truncated bool `json:"truncated,omitzero" jsonschema:"whether the chain is longer, so that the last in it waits for another task"`
}

// Link is a task of a chain of tasks that wait for each other.
type Link struct {
	ID         uuid.UUID         `json:"id" jsonschema:"the id of the task"`
	Type       string            `json:"type" jsonschema:"the name of the task type"`
	State      State             `json:"state" jsonschema:"where the task is in its life"`
	Labels     map[string]string `json:"labels" jsonschema:"the labels of the task" schema:"maxProperties=33,maxLength=256"`
	StartedAt  Time              `json:"startedAt,omitzero" jsonschema:"when it began, where it runs or has run"`
	WaitingFor []Waiting         `json:"waitingFor,omitzero" jsonschema:"all that it waits for, where it is queued; the next of the chain is the first task that is named here"`
}

package schema

// This file has the processes that run tasks.

// RunsOn is the process that runs a task, or has run it. It does not change.
type RunsOn struct {
	Executor string `json:"executor" jsonschema:"the name of the executor"`
	Host     string `json:"host" jsonschema:"the name of its machine"`
}

// ExecutorsResult has all processes that run tasks of the store.
type ExecutorsResult struct {
	Executors []ExecutorInfo `json:"executors" jsonschema:"the executors that share the store, this one included, sorted by name"`
}

// ExecutorInfo describes a process that runs tasks.
type ExecutorInfo struct {
	Name  string `json:"name" jsonschema:"the name of the executor"`
	Host  string `json:"host" jsonschema:"the name of its machine"`
	PID   int    `json:"pid" jsonschema:"the number of its process on that machine"`
	Self  bool   `json:"self,omitzero" jsonschema:"whether it is the one that answers"`
	Limit int    `json:"limit" jsonschema:"how many tasks it runs at once" schema:"minimum=0"`
	// Types are nil for an executor that takes every type.
	Types []string `json:"types,omitzero" jsonschema:"the types of the tasks that it takes, aliases included; absent for every type"`
	// Labels are nil for an executor without any.
	Labels  map[string]string `json:"labels,omitzero" jsonschema:"what a task may ask for with on"`
	Running int               `json:"running" jsonschema:"tasks that it runs" schema:"minimum=0"`
	// Draining is true from drain on, until that is undone. Ending is true, too, where the process ends
	// with the last of its tasks.
	Draining bool `json:"draining,omitzero" jsonschema:"it begins no task"`
	Ending   bool `json:"ending,omitzero" jsonschema:"it ends when no task of it runs any more"`
	Since    Time `json:"since" jsonschema:"when it joined the store"`
	BeatAt   Time `json:"beatAt" jsonschema:"when it was last heard of"`
	// SilentMs is by the clock of the one that answers.
	SilentMs int64 `json:"silentMs,omitzero" jsonschema:"for how many milliseconds it has not been heard of, where that is longer than it should be" schema:"minimum=0"`
}

// DrainParams names an executor that is to begin no task any more.
type DrainParams struct {
	Executor string `json:"executor" jsonschema:"the name of the executor, its machine and process as HOST/PID, or a machine on which it is the only one" schema:"minLength=1"`
	// End lets the process end. That cannot be undone.
	End bool `json:"end,omitzero" jsonschema:"its server ends, as by shutdown, when what it runs has ended"`
	// Undo lets it begin tasks again. It excludes End.
	Undo bool `json:"undo,omitzero" jsonschema:"it begins tasks again"`
}

// DrainResult has the executor as it is then.
type DrainResult struct {
	Executor ExecutorInfo `json:"executor" jsonschema:"the executor as it is then"`
}

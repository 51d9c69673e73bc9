package schema

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// The methods a client calls.
const (
	MethodInitialize    = "initialize"
	MethodSubmit        = "submit"
	MethodStatus        = "status"
	MethodCancel        = "cancel"
	MethodShutdown      = "shutdown"
	MethodWait          = "wait"
	MethodList          = "list"
	MethodOutput        = "output"
	MethodInput         = "input"
	MethodSignal        = "signal"
	MethodResize        = "resize"
	MethodTypes         = "types"
	MethodStats         = "stats"
	MethodSubscribe     = "subscribe"
	MethodUnsubscribe   = "unsubscribe"
	MethodGroups        = "groups"
	MethodSetGroup      = "setGroup"
	MethodPause         = "pause"
	MethodResume        = "resume"
	MethodExplain       = "explain"
	MethodUpdate        = "update"
	MethodRetry         = "retry"
	MethodSchedule      = "schedule"
	MethodUnschedule    = "unschedule"
	MethodSchedules     = "schedules"
	MethodExecutors     = "executors"
	MethodDrain         = "drain"
	MethodOutbox        = "outbox"
	MethodResend        = "resend"
	MethodDiscover      = "rpc.discover"
	MethodCancelRequest = "$/cancelRequest"
	MethodExit          = "exit"
)

// MethodNames are all the methods, sorted.
var MethodNames = []string{
	MethodCancelRequest, MethodCancel, MethodDrain, MethodExecutors, MethodExit, MethodExplain, MethodGroups, MethodInitialize, MethodInput, MethodList, MethodOutbox, MethodOutput,
	MethodPause, MethodResend, MethodResize, MethodResume, MethodRetry, MethodDiscover, MethodSchedule, MethodSchedules, MethodSetGroup, MethodShutdown, MethodSignal,
	MethodStats, MethodStatus, MethodSubmit, MethodSubscribe, MethodTypes, MethodUnschedule, MethodUnsubscribe, MethodUpdate,
	MethodWait,
}

// NoTimeout as SubmitParams.TimeoutMs is no time-out, whatever the type and the group say.
const NoTimeout = -1

// SubmitParams asks for one run of a task type.
type SubmitParams struct {
	Type  string         `json:"type" jsonschema:"the name of a task type, or an alias" schema:"minLength=1"`
	Input jsontext.Value `json:"input,omitzero" jsonschema:"the input of the task, as the inputSchema of its type; {} where absent"`
	// ID makes the submit idempotent; without one the server makes a UUIDv7.
	ID uuid.UUID `json:"id,omitzero" jsonschema:"the id of the task; submitting it again with the same type and input answers with the task as it is"`
	// Priority nil is that of the group, or 0.
	Priority *int `json:"priority,omitzero" jsonschema:"higher runs first; where absent that of the group, or 0" schema:"minimum=-100,maximum=100"`
	// TimeoutMs 0 is as the type says, or else the group. NoTimeout is none.
	TimeoutMs int64  `json:"timeoutMs,omitzero" jsonschema:"bounds each attempt, in milliseconds; 0 is the time-out of the type, or else of the group, and -1 is none" schema:"minimum=-1,maximum=315360000000"`
	GraceMs   *int64 `json:"graceMs,omitzero" jsonschema:"how long the task may go on after it was told to stop, in milliseconds" schema:"minimum=0,maximum=315360000000"`
	// Rerun nil is as the type says.
	Rerun  *bool             `json:"rerun,omitzero" jsonschema:"whether the task may run again where the executor died while it ran; where absent as the type says"`
	Labels map[string]string `json:"labels,omitzero" jsonschema:"names to find the task by; at most 32, of 256 bytes each" schema:"maxProperties=32,maxLength=256"`
	// Events are the notifications wanted of this task: EventStarted,
	// EventProgress, EventOutput, EventRetrying, EventUpdated, EventFinished. Nil is all
	// but EventOutput; an empty slice that is not nil is none.
	Events []string `json:"events,omitzero" jsonschema:"the notifications wanted of the task; where absent started, progress, retrying, updated and finished, none for []" schema:"maxItems=16,enum=started|progress|output|retrying|updated|finished"`
	// Output OutputLossless asks for all output as events, whatever Events says.
	Output OutputDelivery `json:"output,omitzero" jsonschema:"lossless sends all output, as output events whatever events says, and lets the task wait for this connection to read it; newest keeps the newest and tells of what was skipped" schema:"default=newest"`
	// OnDisconnect says what becomes of the task when this connection has ended. It is
	// of the submit that makes the task: one with a known id changes nothing.
	OnDisconnect OnDisconnect `json:"onDisconnect,omitzero" jsonschema:"what becomes of the task when the connection that submitted it has ended; cancel cancels it" schema:"default=keep"`
	Conditions
	DelayMs  int64 `json:"delayMs,omitzero" jsonschema:"in place of runAt: so many milliseconds from now" schema:"minimum=0,maximum=315360000000"`
	ExpireMs int64 `json:"expireMs,omitzero" jsonschema:"in place of expiresAt: so many milliseconds from now; 0 is never" schema:"minimum=0,maximum=315360000000"`
	// DryRun answers with the task as it would be. Its id is the nil UUID where none is given.
	DryRun bool `json:"dryRun,omitzero" jsonschema:"whether to answer as if the task were submitted, and record nothing" schema:"default=false"`
}

// OnDisconnect says what becomes of a task when the connection that submitted it has
// ended.
type OnDisconnect string

// What becomes of the task.
const (
	OnDisconnectKeep   OnDisconnect = "keep"   // it goes on
	OnDisconnectCancel OnDisconnect = "cancel" // it is cancelled
)

// OutputDelivery says what becomes of output that is not read as fast as it is written.
type OutputDelivery string

// How output is delivered.
const (
	OutputNewest   OutputDelivery = "newest"   // the task goes on, and the newest is kept
	OutputLossless OutputDelivery = "lossless" // the task waits for this connection
)

// SubmitResult is the task, and whether it was there already: by its id or by its dedupe key.
type SubmitResult struct {
	Task
	Existing bool `json:"existing,omitzero" jsonschema:"whether the task was there already, by its id or by its dedupe key"`
}

// StatusParams asks for one task.
type StatusParams struct {
	ID           uuid.UUID `json:"id" jsonschema:"the id of the task"`
	IncludeInput bool      `json:"includeInput,omitzero" jsonschema:"whether to answer with the input too" schema:"default=false"`
	// IncludeAttempts asks for Task.Attempts.
	IncludeAttempts bool `json:"includeAttempts,omitzero" jsonschema:"whether to answer with the latest attempts too" schema:"default=false"`
	// IncludeChildren asks for Task.Children.
	IncludeChildren bool `json:"includeChildren,omitzero" jsonschema:"whether to answer with how many children it has, too" schema:"default=false"`
	// IncludeTerms asks for Task.Terms.
	IncludeTerms bool `json:"includeTerms,omitzero" jsonschema:"whether to answer with its time-out, its grace and whether it may be rerun, too" schema:"default=false"`
}

// CancelParams asks for a task to stop. Force skips its grace.
type CancelParams struct {
	ID     uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Reason string    `json:"reason,omitzero" jsonschema:"why, for the record" schema:"maxLength=1024"`
	Force  bool      `json:"force,omitzero" jsonschema:"whether to skip the grace" schema:"default=false"`
}

// CancelResult says what the cancel met.
type CancelResult struct {
	Outcome CancelOutcome `json:"outcome" jsonschema:"what the cancel met: a queued task is cancelled, a running one is cancelling, a final one alreadyFinished"`
	Task    Task          `json:"task" jsonschema:"the task after the cancel"`
}

// CancelOutcome is what a cancel met.
type CancelOutcome string

// The outcomes of a cancel.
const (
	OutcomeCancelled       CancelOutcome = "cancelled"       // was queued, will not run
	OutcomeCancelling      CancelOutcome = "cancelling"      // is running and was told to stop
	OutcomeAlreadyFinished CancelOutcome = "alreadyFinished" // nothing changed
)

// WaitParams asks to be answered when tasks are final.
type WaitParams struct {
	IDs   []uuid.UUID `json:"ids" jsonschema:"the ids of the tasks" schema:"minItems=1,maxItems=1000"`
	Until WaitUntil   `json:"until,omitzero" jsonschema:"how many of the tasks must be final" schema:"default=all"`
	// Tree waits for all that is below the tasks, too: their parts, and theirs.
	Tree bool `json:"tree,omitzero" jsonschema:"whether a task counts as final when all that is below it is, too: its parts, and theirs" schema:"default=false"`
	// TimeoutMs bounds the wait; absent is no bound, 0 answers at once.
	TimeoutMs *int64 `json:"timeoutMs,omitzero" jsonschema:"bounds the wait, in milliseconds; absent is no bound, 0 answers at once" schema:"minimum=0,maximum=315360000000"`
}

// WaitUntil says how many of the tasks must be final.
type WaitUntil string

// When a wait ends.
const (
	UntilAll WaitUntil = "all"
	UntilAny WaitUntil = "any"
)

// WaitResult has the tasks in the order asked.
type WaitResult struct {
	Tasks    []Task `json:"tasks" jsonschema:"the tasks, in the order asked"`
	TimedOut bool   `json:"timedOut" jsonschema:"whether the time passed first; the tasks are as they then were"`
}

// ListParams selects tasks. All that is given must hold; where nothing is it
// is all tasks. States and Types are left out where they are nil; an empty
// slice that is not nil is refused, since it could mean all or none.
type ListParams struct {
	States []State           `json:"states,omitzero" jsonschema:"only tasks in one of these states; absent for all" schema:"minItems=1,maxItems=16"`
	Types  []string          `json:"types,omitzero" jsonschema:"only tasks of one of these types; absent for all" schema:"minItems=1,maxItems=100,maxLength=256"`
	Labels map[string]string `json:"labels,omitzero" jsonschema:"only tasks that have all these labels" schema:"maxProperties=32,maxLength=256"`
	Group  string            `json:"group,omitzero" jsonschema:"only tasks of this group" schema:"maxLength=256"`
	Key    string            `json:"key,omitzero" jsonschema:"only tasks of this key" schema:"maxLength=256"`
	Parent uuid.UUID         `json:"parent,omitzero" jsonschema:"only tasks that are parts of this task: its children, and not theirs"`
	// Executor is the name of an executor, or its host.
	Executor string `json:"executor,omitzero" jsonschema:"only tasks that the executor with this name, or one on the machine with this name, runs or had when they ended, where several share the store" schema:"maxLength=256"`
	// ID is the beginning or the end of an id, or the beginning of its last 8 digits, in
	// lower case.
	ID string `json:"id,omitzero" jsonschema:"only tasks whose id begins or ends with this text of hexadecimal digits and hyphens, or whose last 8 digits begin with it" schema:"minLength=4,maxLength=36"`
	// Since and Until bound createdAt: from Since on, and before Until.
	Since  Time      `json:"since,omitzero" jsonschema:"only tasks submitted at this time or later"`
	Until  Time      `json:"until,omitzero" jsonschema:"only tasks submitted before this time"`
	Order  ListOrder `json:"order,omitzero" jsonschema:"by time of creation" schema:"default=newest"`
	Limit  int       `json:"limit,omitzero" jsonschema:"the most tasks to answer with" schema:"minimum=1,maximum=1000,default=100"`
	Cursor string    `json:"cursor,omitzero" jsonschema:"the nextCursor of the page before"`
}

// ListOrder is by time of creation.
type ListOrder string

// The orders of a list.
const (
	NewestFirst ListOrder = "newest"
	OldestFirst ListOrder = "oldest"
)

// ListResult is a page. It can be short of the limit, or empty, and yet have
// a NextCursor: the list is over only when there is none.
type ListResult struct {
	Tasks      []Task `json:"tasks" jsonschema:"a page of tasks"`
	NextCursor string `json:"nextCursor,omitzero" jsonschema:"where to go on; absent at the end"`
}

// OutputParams selects a piece of a stream: from Offset, or the last TailBytes.
type OutputParams struct {
	ID        uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Stream    *Stream   `json:"stream,omitzero" jsonschema:"the stream to read" schema:"default=stdout"`
	Offset    *int64    `json:"offset,omitzero" jsonschema:"where to begin, in bytes; not with tailBytes" schema:"minimum=0"`
	TailBytes *int64    `json:"tailBytes,omitzero" jsonschema:"how much of the end to read; not with offset" schema:"minimum=0"`
	Limit     int64     `json:"limit,omitzero" jsonschema:"the most bytes to answer with" schema:"minimum=1,maximum=1048576,default=65536"`
}

// OutputResult is a piece of a stream. NextOffset is where to go on. EOF is
// true when the task is final and the piece reaches the end. TruncatedBefore
// is the first offset that is still kept.
type OutputResult struct {
	Data            string   `json:"data" jsonschema:"the piece of the stream"`
	Encoding        Encoding `json:"encoding" jsonschema:"how the bytes became data; base64 where they are not UTF-8"`
	Offset          int64    `json:"offset" jsonschema:"where in the stream data begins, in bytes" schema:"minimum=0"`
	NextOffset      int64    `json:"nextOffset" jsonschema:"where to go on" schema:"minimum=0"`
	EOF             bool     `json:"eof" jsonschema:"whether the task is final and the piece reaches the end"`
	TruncatedBefore int64    `json:"truncatedBefore" jsonschema:"the first offset that is still kept" schema:"minimum=0"`
}

// Encoding is how bytes became a JSON string.
type Encoding string

// The encodings of output.
const (
	EncodingUTF8   Encoding = "utf8"
	EncodingBase64 Encoding = "base64"
)

// TypesResult lists the task types on offer, sorted by name.
type TypesResult struct {
	Types []TypeInfo `json:"types" jsonschema:"the task types, sorted by name"`
}

// TypeInfo describes a task type.
type TypeInfo struct {
	Name string `json:"name" jsonschema:"the name of the task type"`
	// Aliases are other names that submit takes for it.
	Aliases      []string       `json:"aliases,omitzero" jsonschema:"other names that submit takes for it"`
	Description  string         `json:"description" jsonschema:"what it does"`
	InputSchema  jsontext.Value `json:"inputSchema" jsonschema:"the JSON Schema of its input"`
	ResultSchema jsontext.Value `json:"resultSchema" jsonschema:"the JSON Schema of its result"`
	// Idempotent types may run again where the executor died while they ran.
	Idempotent bool `json:"idempotent" jsonschema:"whether a task of it runs again where the executor died while it ran"`
	// Source says where the type comes from: "builtin" or "program".
	Source string `json:"source" jsonschema:"where it comes from, as builtin or program"`
}

// The ways in which the processes of commands are kept together, so that all
// of them can be stopped; the surest first.
const (
	ContainmentCgroup = "cgroup" // Linux: a control group of version 2 for each command
	ContainmentJob    = "job"    // Windows: a job object for each command
	ContainmentScan   = "scan"   // Linux: looks at all processes
	ContainmentGroup  = "group"  // the process group of each command
)

// StatsResult is the server's state in numbers.
type StatsResult struct {
	Version  string     `json:"version" jsonschema:"the version of the server"`
	Store    StoreStats `json:"store" jsonschema:"where tasks are recorded"`
	UptimeMs int64      `json:"uptimeMs" jsonschema:"milliseconds since the start" schema:"minimum=0"`
	// StartedAt is when the executor was made.
	StartedAt Time `json:"startedAt" jsonschema:"when the server started"`
	PID       int  `json:"pid" jsonschema:"the process id of the server" schema:"minimum=1"`
	// Connections counts those that the executor serves now, with the one that asked.
	Connections int64 `json:"connections" jsonschema:"connections that are open" schema:"minimum=0"`
	// Tasks counts those in the store, by state.
	Tasks TaskCounts `json:"tasks" jsonschema:"the tasks in the store, by state"`
	// Totals counts since the start, also those no longer kept.
	Totals TaskTotals `json:"totals" jsonschema:"all tasks since the start, also those no longer kept"`
	// Stuck counts tasks that are final but whose code has not ended.
	Stuck int64 `json:"stuck" jsonschema:"tasks that are final but whose code has not ended" schema:"minimum=0"`
	// Containment is one of the constants Containment…; absent where no type starts processes.
	Containment string `json:"containment,omitzero" jsonschema:"how the processes of commands are kept together, the surest first: by a control group for each, by a job, by looking at all processes, or by their process groups alone; absent where no task type starts processes" schema:"enum=cgroup|job|scan|group"`
	// Paused is true while no task begins, because pause was asked for without a group.
	Paused bool `json:"paused,omitzero" jsonschema:"whether everything is paused"`
	// ShuttingDown is true when no submit is admitted.
	ShuttingDown bool             `json:"shuttingDown" jsonschema:"whether submit is no longer admitted"`
	Rates        Rates            `json:"rates" jsonschema:"means over the last minute"`
	Connection   ConnectionStats  `json:"connection" jsonschema:"of the connection that asked"`
	Limits       map[string]int64 `json:"limits" jsonschema:"the limits of the server, by name"`
}

// StoreStats names the store.
type StoreStats struct {
	Name string `json:"name" jsonschema:"the name of the store"`
	// Durable is false where tasks are gone when the process ends.
	Durable bool `json:"durable" jsonschema:"whether tasks outlive the process"`
	// File is where a durable store is.
	File string `json:"file,omitzero" jsonschema:"the file of a durable store"`
	// Outbox is nil where there is none.
	Outbox *OutboxState `json:"outbox,omitzero" jsonschema:"the submits that wait on this machine; absent where the server has no outbox"`
	// Fault is why nothing can be recorded at this moment.
	Fault string `json:"fault,omitzero" jsonschema:"why nothing can be recorded now; absent when all is well"`
	// Warning is what is wrong with the store that stops nothing yet.
	Warning string `json:"warning,omitzero" jsonschema:"what is wrong with the store that stops nothing yet; absent when all is well"`
}

// TaskCounts counts tasks by state.
type TaskCounts struct {
	Queued    int64 `json:"queued" jsonschema:"waiting for a slot" schema:"minimum=0"`
	Running   int64 `json:"running" jsonschema:"being run" schema:"minimum=0"`
	Completed int64 `json:"completed" jsonschema:"ended with a result" schema:"minimum=0"`
	Failed    int64 `json:"failed" jsonschema:"ended with an error" schema:"minimum=0"`
	Cancelled int64 `json:"cancelled" jsonschema:"ended by a cancel" schema:"minimum=0"`
}

// Of is the count of the tasks in a state.
func (c *TaskCounts) Of(s State) *int64 {
	switch s {
	case Queued:
		return &c.Queued
	case Running:
		return &c.Running
	case Completed:
		return &c.Completed
	case Failed:
		return &c.Failed
	}
	return &c.Cancelled
}

// TaskTotals counts tasks since the start of the process.
type TaskTotals struct {
	Submitted int64 `json:"submitted" jsonschema:"accepted" schema:"minimum=0"`
	Completed int64 `json:"completed" jsonschema:"ended with a result" schema:"minimum=0"`
	Failed    int64 `json:"failed" jsonschema:"ended with an error" schema:"minimum=0"`
	Cancelled int64 `json:"cancelled" jsonschema:"ended by a cancel" schema:"minimum=0"`
	// Evicted counts finished tasks that retention removed.
	Evicted int64 `json:"evicted" jsonschema:"finished and removed by retention" schema:"minimum=0"`
}

// Rates are means over the last minute, or since the start where that is less.
type Rates struct {
	SubmittedPerSecond float64 `json:"submittedPerSecond" jsonschema:"tasks accepted in a second" schema:"minimum=0"`
	FinishedPerSecond  float64 `json:"finishedPerSecond" jsonschema:"tasks finished in a second" schema:"minimum=0"`
}

// ConnectionStats is of the connection that asked.
type ConnectionStats struct {
	PendingWaits int64 `json:"pendingWaits" jsonschema:"wait requests not yet answered" schema:"minimum=0"`
	// PendingBytes are held by what is not answered yet.
	PendingBytes int64 `json:"pendingBytes" jsonschema:"bytes that requests hold that are not answered yet" schema:"minimum=0"`
	// UnsentBytes wait for the client to read them.
	UnsentBytes int64 `json:"unsentBytes" jsonschema:"bytes that wait for the client to read them" schema:"minimum=0"`
}

// CancelRequestParams names a pending request of the same connection.
type CancelRequestParams struct {
	ID jsontext.Value `json:"id" jsonschema:"the id of a pending request of this connection"`
}

// SubscribeParams asks for the events of tasks, whoever submitted them. All
// that is given must hold; where nothing is it is every task. Types, States
// and IDs are left out where they are nil; an empty slice that is not nil is
// refused, since it could mean every task or none.
type SubscribeParams struct {
	// After replays what became of tasks after this sequence number; nil
	// replays nothing.
	After  *uint64           `json:"after,omitzero" jsonschema:"first send what became of each task since the event with this seq; absent for nothing of the past"`
	Types  []string          `json:"types,omitzero" jsonschema:"only of tasks of one of these types; absent for all" schema:"minItems=1,maxItems=100,maxLength=256"`
	States []State           `json:"states,omitzero" jsonschema:"only events that show a task in one of these states, absent for all; task/retrying and task/updated show queued, and all others but task/finished show running" schema:"minItems=1,maxItems=16"`
	Labels map[string]string `json:"labels,omitzero" jsonschema:"only of tasks that have all these labels" schema:"maxProperties=32,maxLength=256"`
	IDs    []uuid.UUID       `json:"ids,omitzero" jsonschema:"only of these tasks; absent for all" schema:"minItems=1,maxItems=1000"`
	// Events are the notifications wanted: EventStarted, EventProgress,
	// EventOutput, EventRetrying, EventUpdated, EventFinished. Nil is all but EventOutput;
	// an empty slice that is not nil is none.
	Events []string `json:"events,omitzero" jsonschema:"the notifications wanted; where absent started, progress, retrying, updated and finished, none for []" schema:"maxItems=16,enum=started|progress|output|retrying|updated|finished"`
}

// SubscribeResult names the subscription.
type SubscribeResult struct {
	Subscription uint32 `json:"subscription" jsonschema:"what unsubscribe takes" schema:"minimum=1"`
	// Seq is of the latest event before the subscription.
	Seq uint64 `json:"seq" jsonschema:"the seq of the latest event before the subscription; ask for what comes after it another time"`
	// Gap is true where anything happened after After: of that the newest of
	// each task is replayed, and nothing else.
	Gap bool `json:"gap,omitzero" jsonschema:"whether there were events after the seq asked for, of which only the newest of each task is sent again"`
}

// UnsubscribeParams names a subscription of the same connection.
type UnsubscribeParams struct {
	Subscription uint32 `json:"subscription" jsonschema:"the subscription, as subscribe has answered" schema:"minimum=1"`
}

// Empty is the params or the result of a method that has none.
type Empty struct{}

package schema

import "github.com/google/uuid"

// The notifications a server sends.
const (
	NotifyStarted      = "task/started"
	NotifyProgress     = "task/progress"
	NotifyOutput       = "task/output"
	NotifyRetrying     = "task/retrying"
	NotifyUpdated      = "task/updated"
	NotifyFinished     = "task/finished"
	NotifyReplayed     = "subscription/replayed"
	NotifyShuttingDown = "executor/shuttingDown"
)

// The elements of SubmitParams.Events and SubscribeParams.Events.
const (
	EventStarted  = "started"
	EventProgress = "progress"
	EventOutput   = "output"
	EventRetrying = "retrying"
	EventUpdated  = "updated"
	EventFinished = "finished"
)

// EventNames are these elements.
var EventNames = [...]string{EventStarted, EventProgress, EventOutput, EventRetrying, EventUpdated, EventFinished}

// StartedEvent says that an attempt began. PID is the process id of an external command, or 0.
type StartedEvent struct {
	ID        uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Seq       uint64    `json:"seq" jsonschema:"rises with every notification of the task"`
	Attempt   int32     `json:"attempt" jsonschema:"which run of the task began" schema:"minimum=1"`
	StartedAt Time      `json:"startedAt" jsonschema:"when the attempt began"`
	PID       int       `json:"pid,omitzero" jsonschema:"the process id of the command" schema:"minimum=1"`
}

// ProgressEvent carries the newest progress of a task.
type ProgressEvent struct {
	ID  uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Seq uint64    `json:"seq" jsonschema:"rises with every notification of the task"`
	Progress
}

// OutputEvent carries a piece of a stream of a task. Gap is the number of bytes just before Offset
// that were left out because the client was slow. Bytes that were written before the connection
// followed the task do not count.
type OutputEvent struct {
	ID       uuid.UUID `json:"id" jsonschema:"the id of the task"`
	Seq      uint64    `json:"seq" jsonschema:"rises with every notification of the task"`
	Stream   Stream    `json:"stream" jsonschema:"the stream that was written to"`
	Offset   int64     `json:"offset" jsonschema:"where in the stream data begins, in bytes" schema:"minimum=0"`
	Data     string    `json:"data" jsonschema:"at most 64 KiB of the stream"`
	Encoding Encoding  `json:"encoding" jsonschema:"how the bytes became data; base64 where they are not UTF-8"`
	Gap      int64     `json:"gap,omitzero" jsonschema:"bytes skipped just before offset because the client was slow" schema:"minimum=0"`
}

// RetryingEvent says that an attempt has ended and the task is queued again. Another one follows
// at RunAt or later. Error is nil where the task has asked for that itself and no attempt was
// spent.
type RetryingEvent struct {
	ID      uuid.UUID  `json:"id" jsonschema:"the id of the task"`
	Seq     uint64     `json:"seq" jsonschema:"rises with every notification of the task"`
	Attempt int32      `json:"attempt" jsonschema:"which run of the task has ended" schema:"minimum=1"`
	Error   *TaskError `json:"error,omitzero" jsonschema:"why it failed; absent where the task has put itself off"`
	RunAt   Time       `json:"runAt" jsonschema:"when the next attempt may begin"`
}

// UpdatedEvent is what update can change of a task that waits, as it is now. It comes, too, when the task has left an outbox.
type UpdatedEvent struct {
	ID       uuid.UUID         `json:"id" jsonschema:"the id of the task"`
	Seq      uint64            `json:"seq" jsonschema:"rises with every notification of the task"`
	Priority int8              `json:"priority" jsonschema:"tasks with a higher priority run first" schema:"minimum=-100,maximum=100"`
	Labels   map[string]string `json:"labels" jsonschema:"names to find the task by"`
	// Conditions nil is a task that may run at once.
	Conditions *Conditions `json:"conditions,omitzero" jsonschema:"when it may run; absent where nothing was asked for"`
	// Sent is true where nothing but that has changed.
	Sent bool `json:"sent,omitzero" jsonschema:"the task has waited in an outbox, and is recorded now"`
	// RunAt is of a task that waits for its next attempt.
	RunAt Time `json:"runAt,omitzero" jsonschema:"when the next attempt may begin; absent where there was none before"`
}

// FinishedEvent is the final task.
type FinishedEvent struct {
	Task
	Seq uint64 `json:"seq" jsonschema:"greater than that of every other notification of the task"`
}

// ReplayedEvent ends a replay. A subscription has now been sent all the past events that it asked for,
// or all ends that were dropped while the client was slow. The events that follow are new.
type ReplayedEvent struct {
	Subscription uint32  `json:"subscription" jsonschema:"the subscription" schema:"minimum=1"`
	Seq          uint64  `json:"seq" jsonschema:"how far the past went: the seq that subscribe has answered, or how far a slow client had fallen behind"`
	Missed       *Missed `json:"missed,omitzero" jsonschema:"what of the past could not be sent; absent where nothing is missing"`
}

// Missed is a range of sequence numbers that may not have been replayed: the starts and ends with
// After < seq <= Through.
type Missed struct {
	After   uint64 `json:"after" jsonschema:"tasks may be missing whose end, or start where they run, came after this seq"`
	Through uint64 `json:"through" jsonschema:"the last seq of which that is so"`
}

// ShuttingDownEvent says to a connection of a shared executor that the executor is
// about to end, and not because of this connection. What its tasks still do is sent, and
// then the connection ends.
type ShuttingDownEvent struct {
	// Mode is one of the modes of a shutdown, or ModeInterrupt.
	Mode   string `json:"mode" jsonschema:"what becomes of the tasks, as the mode of shutdown; interrupt lets a durable store keep those that may go on later" schema:"enum=drain|finish|interrupt|cancel"`
	Reason string `json:"reason,omitzero" jsonschema:"why, for a person"`
}

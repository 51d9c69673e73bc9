package schema

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Task is a submitted task as status, list, wait and task/finished show it. Once its State is
// final, nothing in it changes.
type Task struct {
	ID                uuid.UUID         `json:"id" jsonschema:"the id of the task"`
	Type              string            `json:"type" jsonschema:"the name of the task type"`
	State             State             `json:"state" jsonschema:"where the task is in its life; completed, failed and cancelled are final"`
	Priority          int8              `json:"priority" jsonschema:"higher runs first" schema:"minimum=-100,maximum=100"`
	Attempt           int32             `json:"attempt" jsonschema:"which run of the task this is; 0 before the first" schema:"minimum=0"`
	Labels            map[string]string `json:"labels" jsonschema:"the labels it was submitted with, and the label owner" schema:"maxProperties=33,maxLength=256"`
	CreatedAt         Time              `json:"createdAt" jsonschema:"when it was submitted"`
	StartedAt         Time              `json:"startedAt,omitzero" jsonschema:"when its newest attempt began"`
	FinishedAt        Time              `json:"finishedAt,omitzero" jsonschema:"when it became final"`
	CancelRequestedAt Time              `json:"cancelRequestedAt,omitzero" jsonschema:"when a cancel was first asked for"`
	CancelReason      string            `json:"cancelReason,omitzero" jsonschema:"the reason given with the cancel"`
	Progress          *Progress         `json:"progress,omitzero" jsonschema:"the newest progress"`
	Result            jsontext.Value    `json:"result,omitzero" jsonschema:"what the task returned; only when completed"`
	Error             *TaskError        `json:"error,omitzero" jsonschema:"why it failed or was cancelled; only then"`
	OutputBytes       *OutputBytes      `json:"outputBytes,omitzero" jsonschema:"how much it has written to each stream"`
	Input             jsontext.Value    `json:"input,omitzero" jsonschema:"its input; only where asked for"`
	Conditions        *Conditions       `json:"conditions,omitzero" jsonschema:"what it was submitted to wait for"`
	// WaitingFor is only set of a queued task with conditions, and never in a record.
	WaitingFor []Waiting `json:"waitingFor,omitzero" jsonschema:"what a queued task waits for at the moment; all of it is true"`
	// Attempts are only set where asked for, and never in a record.
	Attempts []Attempt `json:"attempts,omitzero" jsonschema:"its latest 20 attempts, the oldest first; only where asked for"`
	// Children is only set where asked for, and never in a record.
	Children *TaskCounts `json:"children,omitzero" jsonschema:"how many tasks are parts of it, by state; only where asked for, and where there are any; those that are no longer kept count until the task ends or the server restarts"`
	// Terms are only set where asked for, and never in a record.
	Terms *Terms `json:"terms,omitzero" jsonschema:"how long it may take, and what becomes of it after a crash; only where asked for"`
	// RunsOn is only set of a running task in a store that other executors share, and never in a
	// record.
	RunsOn *RunsOn `json:"runsOn,omitzero" jsonschema:"the executor that runs it, where several share the store"`
	// RanOn is only set of a task that has ended in a store that other executors share. One that ended
	// in the queue has none.
	RanOn *RunsOn `json:"ranOn,omitzero" jsonschema:"the executor that had it when it ended, where several share the store"`
	// Stopped is only set of a running task, and never in a record.
	Stopped bool `json:"stopped,omitzero" jsonschema:"whether the method signal has stopped it; CONT lets it go on"`
	// Incomplete is set in an event for a slow client from which parts of the task were left out. It
	// is never set in a record.
	Incomplete bool `json:"incomplete,omitzero" jsonschema:"whether its result, labels and longer texts are left out, because the client was slow and the task was forgotten meanwhile"`
}

// Terms are what holds of a task while it runs: as it was submitted, or where that says nothing as its
// group or its type does.
type Terms struct {
	TimeoutMs int64 `json:"timeoutMs,omitzero" jsonschema:"bounds each attempt, in milliseconds; absent is no bound" schema:"minimum=0"`
	GraceMs   int64 `json:"graceMs" jsonschema:"how long it may go on after it was told to stop, in milliseconds" schema:"minimum=0"`
	Rerun     bool  `json:"rerun,omitzero" jsonschema:"whether it runs again where nobody knows how its last attempt ended"`
}

// Progress says how far a running task has come, in its own Unit. A Total of zero is not known.
// Value never falls within one attempt.
type Progress struct {
	Value   float64 `json:"progress" jsonschema:"how far it has come; never falls within an attempt"`
	Total   float64 `json:"total,omitzero" jsonschema:"the progress at which it is done; absent where not known"`
	Unit    string  `json:"unit,omitzero" jsonschema:"what is counted"`
	Message string  `json:"message,omitzero" jsonschema:"what it is doing"`
}

// OutputBytes counts the bytes that a task has written to each stream, kept or not.
type OutputBytes struct {
	Stdout int64 `json:"stdout" jsonschema:"bytes written to stdout, kept or not" schema:"minimum=0"`
	Stderr int64 `json:"stderr" jsonschema:"bytes written to stderr, kept or not" schema:"minimum=0"`
	Log    int64 `json:"log" jsonschema:"bytes written to the log, kept or not" schema:"minimum=0"`
}

// TaskError says why a task failed or was cancelled. It is part of the task's
// record and never a JSON-RPC error.
type TaskError struct {
	Kind      ErrorKind `json:"kind" jsonschema:"the class of the error"`
	Message   string    `json:"message" jsonschema:"what went wrong, for a person"`
	Retryable bool      `json:"retryable" jsonschema:"whether the same task may succeed another time"`
	// ExitCode and Signal say how an external command ended.
	ExitCode *int   `json:"exitCode,omitzero" jsonschema:"the exit code of the command"`
	Signal   string `json:"signal,omitzero" jsonschema:"the signal that ended the command"`
	// StderrTail is the end of what the command wrote to stderr.
	StderrTail string `json:"stderrTail,omitzero" jsonschema:"the last of what the command wrote to stderr"`
	// Errno is the name of the system's error if a command could not be started, such as "ENOENT".
	Errno string `json:"errno,omitzero" jsonschema:"the system's name for why the command could not be started"`
	// Cause is the task that did not end as it must, for the kind dependency. It may have failed
	// because of another one.
	Cause uuid.UUID `json:"cause,omitzero" jsonschema:"the id of the task that did not end as this one needs it"`
	// Forced is true if the task was killed, or given up, after its grace.
	Forced bool `json:"forced,omitzero" jsonschema:"whether the task was killed or given up after its grace"`
	// Leaked is true if a process of the task is still alive and could not be killed.
	Leaked bool `json:"leaked,omitzero" jsonschema:"whether a process of the task outlived it"`
}

// ErrorKind is the class of a TaskError.
type ErrorKind string

// The kinds of TaskError.
const (
	KindTaskError     ErrorKind = "taskError"     // the task's code returned an error
	KindExit          ErrorKind = "exit"          // a command ended with a code other than 0
	KindSignal        ErrorKind = "signal"        // a command was ended by a signal nobody here sent
	KindSpawn         ErrorKind = "spawn"         // a command could not be started
	KindTimeout       ErrorKind = "timeout"       // timeoutMs passed
	KindPanic         ErrorKind = "panic"         // the task's code panicked
	KindInvalidResult ErrorKind = "invalidResult" // the result breaks its schema, or is too large
	KindInterrupted   ErrorKind = "interrupted"   // the executor ended while the task ran
	KindCancelled     ErrorKind = "cancelled"     // somebody asked for it
	KindExpired       ErrorKind = "expired"       // it did not start before its expiresAt
	KindDependency    ErrorKind = "dependency"    // a task that it comes after did not end as it must
)

// ErrorKinds are all classes of errors; the set is closed.
var ErrorKinds = [...]ErrorKind{
	KindTaskError, KindExit, KindSignal, KindSpawn, KindTimeout,
	KindPanic, KindInvalidResult, KindInterrupted, KindCancelled, KindExpired, KindDependency,
}

// State is the state of a task.
type State uint8

// The states of a task. The last three are final.
const (
	Queued State = iota
	Running
	Completed
	Failed
	Cancelled
)

// StateNames are the states' wire names, indexed by State.
var StateNames = [...]string{"queued", "running", "completed", "failed", "cancelled"}

// Final reports whether a task in this state never changes again.
func (s State) Final() bool { return s >= Completed }

func (s State) String() string {
	if int(s) < len(StateNames) {
		return StateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// MarshalText writes the wire name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a wire name.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range StateNames {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a state: one of %q", text, StateNames)
}

// Stream is one of the output streams of a task.
type Stream uint8

// The streams of a task. Log has messages of the executor about it.
const (
	Stdout Stream = iota
	Stderr
	Log
)

// StreamNames are the streams' wire names, indexed by Stream.
var StreamNames = [...]string{"stdout", "stderr", "log"}

func (s Stream) String() string {
	if int(s) < len(StreamNames) {
		return StreamNames[s]
	}
	return fmt.Sprintf("Stream(%d)", uint8(s))
}

// MarshalText writes the wire name.
func (s Stream) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a wire name.
func (s *Stream) UnmarshalText(text []byte) error {
	for i, name := range StreamNames {
		if name == string(text) {
			*s = Stream(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a stream: one of %q", text, StreamNames)
}

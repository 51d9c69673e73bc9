package executor

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Record is a task and how it is to be run: what a store keeps. The embedded
// Task's Input is always set, whatever of it is shown.
type Record struct {
	schema.Task
	// Timeout bounds one attempt; 0 is no bound.
	Timeout time.Duration
	// Grace is how long the task may go on after it was told to stop.
	Grace time.Duration
	// Rerun says that the task may run again where nobody knows how its last
	// attempt ended: because the process died.
	Rerun bool
	// History is of the attempts before the latest, or nil where the task has had none that
	// another one followed because of it. Store.List leaves it out.
	History *History
	// Children counts the task's children by their states, or is nil where it has none. Only
	// Store.Get sets it. It counts those that are no longer kept, too, as long as the store is
	// open and the task is not final.
	Children *schema.TaskCounts
}

// Submission is a record to be queued, with what is of this process only: it is
// not stored.
type Submission struct {
	Record
	// Owner is the watcher that is sent the task's events of the kinds in
	// Events; 0 is none.
	Owner  WatcherID
	Events EventMask
	// NewID says that the id was made for this record, and not by a client. Such ids
	// rise: one that is greater than all before it is of no task yet.
	NewID bool
	// Posted says that the task has waited in an Outbox, and that its watchers were told so. A store that
	// processes share publishes an EventUpdated, with Sent, when it records the task as a new one.
	Posted bool
	// Hidden are the values that Secret has taken out of the Input, in the order
	// of the input.
	Hidden [][]byte
}

// Submitted is the answer to one submission. Err is nil, or says why nothing
// was recorded: ErrQueueFull, ErrIDConflict, ErrTaskGone, a *DuplicateError, or ErrDamaged
// where the record of the task that has the id cannot be read.
type Submitted struct {
	// Existing is true where the id was known with the same type and input, or where
	// there is a task of the same dedupe key to reuse; Task is that task as it is now.
	// For a new task, Task is not set: it is the one submitted.
	Existing bool
	Task     *schema.Task
	// Conditions are those of a new task that replaces others, where it has to wait for their
	// end. They are nil where it has those that were submitted.
	Conditions *schema.Conditions
	// WaitingFor is what a new task with conditions waits for.
	WaitingFor []schema.Waiting
	Err        error
}

// Outcome is how an attempt ended. State is final; Result is of a Completed
// task, Error of any other.
type Outcome struct {
	State  schema.State
	Result []byte
	Error  *schema.TaskError
}

// Cancellation is a request to stop a task. It is the cause of the context of
// a task that is cancelled.
type Cancellation struct {
	Reason string
	// Force skips the task's grace.
	Force bool
}

func (c *Cancellation) Error() string {
	if c.Reason == "" {
		return "cancelled"
	}
	return "cancelled: " + c.Reason
}

// Is makes errors.Is(err, context.Canceled) true.
func (c *Cancellation) Is(target error) bool { return target == context.Canceled }

// CancelAnswer is what a cancel met. Err is nil, or says why the task is as it
// was: ErrNotFound, ErrDamaged where its record cannot be read, or
// ErrStoreUnavailable where it waits and its end could not be recorded.
type CancelAnswer struct {
	Outcome schema.CancelOutcome
	Task    schema.Task
	Err     error
}

// Same reports whether a submission with the id of a known task asks for the
// same thing: the same type, and an input that is the same JSON value
// (RFC 8785), whatever its spelling.
func (r *Record) Same(typ string, input []byte) bool {
	if r.Type != typ {
		return false
	}
	if bytes.Equal(r.Input, input) {
		return true
	}
	a, b := r.Input.Clone(), jsontext.Value(input).Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && bytes.Equal(a, b)
}

// Filter selects records. All that is given must hold.
type Filter struct {
	States []schema.State
	Types  []string
	Labels map[string]string
	// Group and Key are of the conditions; "" is no bound.
	Group, Key string
	// Parent is the task whose children are selected; the nil id is no bound.
	Parent uuid.UUID
	// Executor is the name of an executor that runs the task, or had it when it ended, or that of
	// its host; "" is no bound.
	Executor string
	// ID is the beginning or the end of the text of an id, or the beginning of its last
	// shortID digits, in lower case.
	ID string
	// Since and Until bound CreatedAt: not before Since, and before Until. A
	// zero is no bound.
	Since, Until schema.Time
}

// Match reports whether the task is selected.
func (f *Filter) Match(t *schema.Task) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, t.State)) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, t.Type)) &&
		t.CreatedAt >= f.Since && (f.Until.IsZero() || t.CreatedAt < f.Until) &&
		hasLabels(t.Labels, f.Labels) && f.MatchID(t.ID) && f.matchConditions(t.Conditions) && f.matchExecutor(cmp.Or(t.RunsOn, t.RanOn))
}

// matchExecutor reports whether a task is selected that an executor has or had, nil for none.
func (f *Filter) matchExecutor(on *schema.RunsOn) bool {
	return f.Executor == "" || on != nil && (on.Executor == f.Executor || on.Host == f.Executor)
}

// matchConditions reports whether a task with these conditions is selected.
func (f *Filter) matchConditions(c *schema.Conditions) bool {
	if f.Group == "" && f.Key == "" && f.Parent == uuid.Nil {
		return true
	}
	return c != nil && (f.Group == "" || c.Group == f.Group) && (f.Key == "" || c.Key == f.Key) && (f.Parent == uuid.Nil || c.Parent == f.Parent)
}

// ParentOf is the task of which one with these conditions is a part, or the nil id.
func ParentOf(c *schema.Conditions) uuid.UUID {
	if c == nil {
		return uuid.Nil
	}
	return c.Parent
}

// shortID is how many digits of an id, the last, clients show to a person. A person
// shortens what is shown by leaving out its end.
const shortID = 8

// MatchID reports whether the id is selected.
func (f *Filter) MatchID(id uuid.UUID) bool {
	if f.ID == "" {
		return true
	}
	text := IDText(id)
	n := len(f.ID)
	return n <= len(text) && (string(text[:n]) == f.ID || string(text[len(text)-n:]) == f.ID) ||
		n <= shortID && string(text[len(text)-shortID:][:n]) == f.ID
}

// IDText is the text of an id.
func IDText(id uuid.UUID) (text [36]byte) {
	const digits = "0123456789abcdef"
	text = [36]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	for i, at := range [len(id)]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		text[at], text[at+1] = digits[id[i]>>4], digits[id[i]&0xf]
	}
	return text
}

// hasLabels reports whether all the wanted labels are there.
func hasLabels(labels, wanted map[string]string) bool {
	for key, want := range wanted {
		if got, ok := labels[key]; !ok || got != want {
			return false
		}
	}
	return true
}

// PageRequest asks for a page of a list. An empty Cursor is the beginning.
type PageRequest struct {
	Oldest bool
	Limit  int
	Cursor string
}

// Page is a part of a list. An empty Next is its end; a page can be short of
// its limit, or empty, with more to come.
type Page struct {
	Tasks []schema.Task
	Next  string
}

// OutputRange selects a piece of a stream: at most Limit bytes from Offset,
// or of the last Tail bytes where Tail is not negative.
type OutputRange struct {
	Offset int64
	Tail   int64
	Limit  int64
}

// OutputPiece is a piece of a stream of a task. Offset is where it begins (later
// than asked where bytes are gone), First the first byte kept, Total all that
// was ever written. Final is whether more can come.
type OutputPiece struct {
	Data   []byte
	Offset int64
	First  int64
	Total  int64
	Final  bool
}

// Counts is a store in numbers.
type Counts struct {
	schema.TaskCounts
	// Evicted counts finished tasks that retention removed since the store was opened.
	Evicted int64
	// Unrun counts the tasks that the store has ended since it was opened, because of their
	// conditions. They failed without having run.
	Unrun int64
	// Below counts the queued tasks that the store has cancelled since it was opened, because a
	// task was cancelled of which they are a part.
	Below int64
	// Replaced counts the queued tasks that the store has cancelled since it was opened, because
	// another one of their dedupe key replaces them.
	Replaced int64
}

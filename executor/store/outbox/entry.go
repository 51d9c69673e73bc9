package outbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The limits of an outbox, of what waits and of what was refused together.
const (
	MaxEntries = 10_000
	MaxBytes   = 64 << 20
)

// Entry is a submit that waits to be sent, or that the namespace has refused.
type Entry struct {
	// Number rises with each entry; they are sent in this order.
	Number int64
	// Record is of a queued task. What is only of the process that took the submit is in the Store.
	Record executor.Record
	// Tried says that the submit may have been sent.
	Tried bool
	// Refused is why the namespace has refused it, or "".
	Refused string
	// RefusedAt is when.
	RefusedAt schema.Time
	// Damaged says that the file no longer has what was written of it. Record has what can be read, and an id that is
	// made up where the real one cannot.
	Damaged bool
}

// Change is what is written to a File in one step.
type Change struct {
	Add    []Entry // with numbers above all before
	Set    []Entry // Tried and Refused of entries that are there
	Remove []int64 // by their numbers
}

func (c *Change) isEmpty() bool { return len(c.Add)+len(c.Set)+len(c.Remove) == 0 }

// then is a change with another one behind it.
func (c *Change) then(next Change) Change {
	return Change{Add: slices.Concat(c.Add, next.Add), Set: slices.Concat(c.Set, next.Set), Remove: slices.Concat(c.Remove, next.Remove)}
}

// File has the entries on a disk. One goroutine at a time uses it.
type File interface {
	// Write makes all of a change or nothing of it. It returns when that is on the disk. After an error it is
	// not known which of both came true, unless the error is ErrNotWritten. An empty change tries whether the file
	// can be written. The error names the file.
	Write(c Change) error
	// Path is where the file is.
	Path() string
	// Close closes the file. Another process can have it then.
	Close() error
}

// ErrNotWritten is of an error of File.Write after which the file is as it was.
var ErrNotWritten = errors.New("nothing was written")

// kept is an entry with what is of this process alone.
type kept struct {
	Entry
	owner  executor.WatcherID // of one that was refused nobody: it has ended for its owner
	events executor.EventMask
}

// entryBytes is what an entry takes besides its input and its labels.
const entryBytes = 512

// SizeOf is about how many bytes an entry takes.
func SizeOf(r *executor.Record) int64 {
	n := entryBytes + len(r.Type) + len(r.Input)
	for key, value := range r.Labels {
		n += len(key) + len(value)
	}
	if c := r.Conditions; c != nil {
		n += 64 * (len(c.After) + len(c.Needs) + len(c.On))
	}
	return int64(n)
}

// uncertain reports whether the namespace may have the task, or get it by what is under way.
func (e *Entry) uncertain() bool { return e.Tried && e.Refused == "" }

// record is the task as a client sees it. One that was refused has ended.
func (k *kept) record(file string) executor.Record {
	r := k.Record
	if k.Refused != "" {
		cancelled(&r, executor.Cancellation{Reason: "the namespace has refused it, so it has never been there: " + k.Refused}, k.RefusedAt)
		return r
	}
	r.WaitingFor = []schema.Waiting{k.waiting(file)}
	return r
}

// cancelled makes a task one that has ended in the outbox.
func cancelled(r *executor.Record, c executor.Cancellation, at schema.Time) {
	outcome := c.Outcome()
	r.State, r.Error, r.FinishedAt, r.CancelRequestedAt, r.CancelReason = outcome.State, outcome.Error, at, at, c.Reason
}

// waiting says what the task waits for.
func (k *kept) waiting(file string) schema.Waiting {
	w := schema.Waiting{Kind: schema.WaitsForOutbox, Name: file}
	if k.uncertain() {
		w.Message = fmt.Sprintf("it is in the outbox %s, and is on its way to the namespace, which may have it already", file)
	} else {
		w.Message = fmt.Sprintf("it is in the outbox %s, and is sent when the namespace can be reached", file)
	}
	return w
}

package file

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The columns of a task and of its end, in the order in which ReadTask and ReadDone read them.
const (
	TaskColumns = "task.ord, id, type, created, priority, rerun, timeout, grace, labels, task.sum, inputsum, input"
	// BareColumns are TaskColumns without a large input.
	BareColumns = "task.ord, id, type, created, priority, rerun, timeout, grace, labels, task.sum, inputsum, iif(inputsum IS NULL, input, NULL)"
	DoneColumns = "done.ord, seq, state, done.attempt, done.started, finished, bytes, more, done.sum, result, error"
	// DoneAt is the number of the first column of the end, in a row that begins with TaskColumns.
	DoneAt = 12
	// BehindDone is the number of the first column after DoneColumns, in such a row.
	BehindDone = DoneAt + 11
)

// LargeInput is the size, in bytes, from which an input has a checksum of its own, so that the
// rest of the row can be read without it.
const LargeInput = 1 << 10

// lenient accepts labels that are not UTF-8, or that become equal when they are made UTF-8.
// Otherwise one such task would make the commit of all tasks fail.
var lenient = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

func taskDigest(d Digest, ord int64, id uuid.UUID, typ string, created, priority, rerun, timeout, grace int64, labels []byte) Digest {
	return d.number(ord).bytes(id[:]).text(typ).number(created).number(priority).number(rerun).
		number(timeout).number(grace).bytes(labels)
}

// milliseconds rounds up, because 0 would mean that there is no bound. The greatest durations are
// rounded down instead, so that the milliseconds fit a time.Duration.
func milliseconds(d time.Duration) int64 {
	const up = time.Millisecond - 1
	return int64((min(d, math.MaxInt64-up) + up) / time.Millisecond)
}

// ReadTask reads TaskColumns or BareColumns.
func ReadTask(c *Conn, known *Types, row *sqlite3.Stmt) (r executor.Record, ord int64, err error) {
	ord = row.ColumnInt64(0)
	id := row.ColumnRawBlob(1)
	if len(id) != len(r.ID) {
		return r, ord, damaged("task", ord)
	}
	copy(r.ID[:], id)
	if r.Type, err = known.name(c, row.ColumnInt64(2)); errors.Is(err, errNoType) {
		return r, ord, damaged("task", ord)
	} else if err != nil {
		return r, ord, err
	}
	created, priority, rerun := row.ColumnInt64(3), row.ColumnInt64(4), row.ColumnInt64(5)
	timeout, grace := row.ColumnInt64(6), row.ColumnInt64(7)
	labels := row.ColumnRawText(8)
	input, large := row.ColumnRawText(11), row.ColumnType(10) != sqlite3.NULL
	d := taskDigest(nil, ord, r.ID, r.Type, created, priority, rerun, timeout, grace, labels)
	if !large {
		d = d.bytes(input)
	}
	if d.Sum() != row.ColumnInt64(9) {
		return r, ord, damaged("task", ord)
	}
	if large && input != nil && Digest(nil).number(ord).bytes(input).Sum() != row.ColumnInt64(10) {
		return r, ord, damaged("task", ord)
	}
	if r.Labels, err = c.labels(labels); err != nil {
		return r, ord, damaged("task", ord)
	}
	if rerun >= conditioned {
		if r.Conditions, err = conditionsOf(c, ord); err != nil {
			return r, ord, err
		}
	}
	r.CreatedAt, r.Priority, r.Rerun = schema.Time(created), int8(priority), rerun%conditioned == 1
	r.Timeout, r.Grace = time.Duration(timeout)*time.Millisecond, time.Duration(grace)*time.Millisecond
	if input != nil {
		r.Input = keepValue(input)
	}
	return r, ord, nil
}

// labels reads the labels of a task. Tasks with the same labels next to each other share
// them, since nobody changes them.
func (c *Conn) labels(text []byte) (map[string]string, error) {
	if text == nil {
		return nil, nil
	}
	if c.latestLabels != nil && bytes.Equal(text, c.latestLabelsText) {
		return c.latestLabels, nil
	}
	var labels map[string]string
	if err := json.Unmarshal(text, &labels, lenient); err != nil {
		return nil, err
	}
	c.latestLabels, c.latestLabelsText = labels, append(c.latestLabelsText[:0], text...)
	return labels, nil
}

var emptyObject = jsontext.Value("{}")

// keepValue copies a value. All tasks share the most common one, {}.
func keepValue(v []byte) jsontext.Value {
	if string(v) == "{}" {
		return emptyObject
	}
	return bytes.Clone(v)
}

// rest has the members of a final task that most ends lack. They are in one column, as JSON.
type rest struct {
	CancelRequestedAt schema.Time         `json:"cancelRequestedAt,omitzero"`
	CancelReason      string              `json:"cancelReason,omitzero"`
	Progress          *schema.Progress    `json:"progress,omitzero"`
	OutputBytes       *schema.OutputBytes `json:"outputBytes,omitzero"`
	RanOn             *schema.RunsOn      `json:"ranOn,omitzero"` // of a task that was copied from another store
}

func doneDigest(d Digest, ord, seq, state, attempt, started, finished, size int64, more, result, failure []byte) Digest {
	return d.number(ord).number(seq).number(state).number(attempt).number(started).number(finished).number(size).
		bytes(more).bytes(result).bytes(failure)
}

// ReadDone reads DoneColumns, from column at, into a task that ReadTask has read.
func ReadDone(row *sqlite3.Stmt, at int, t *schema.Task) (seq uint64, err error) {
	ord := row.ColumnInt64(at)
	n := [6]int64{}
	for i := range n {
		n[i] = row.ColumnInt64(at + 1 + i)
	}
	if row.ColumnType(at+4) == sqlite3.NULL {
		n[3] = -1
	}
	more, result, failure := row.ColumnRawText(at+7), row.ColumnRawText(at+9), row.ColumnRawText(at+10)
	if doneDigest(nil, ord, n[0], n[1], n[2], n[3], n[4], n[5], more, result, failure).Sum() != row.ColumnInt64(at+8) {
		return 0, damaged("done", ord)
	}
	t.State, t.Attempt = schema.State(n[1]), int32(n[2])
	if n[3] >= 0 {
		t.StartedAt = t.CreatedAt + schema.Time(n[3])
	}
	t.FinishedAt = max(t.StartedAt, t.CreatedAt) + schema.Time(n[4])
	if result != nil {
		t.Result = keepValue(result)
	}
	var rest rest
	if more != nil {
		err = json.Unmarshal(more, &rest)
	}
	if failure != nil {
		t.Error = new(schema.TaskError)
		err = errors.Join(err, json.Unmarshal(failure, t.Error))
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", damaged("done", ord), err)
	}
	t.CancelRequestedAt, t.CancelReason, t.Progress, t.OutputBytes, t.RanOn = rest.CancelRequestedAt, rest.CancelReason, rest.Progress, rest.OutputBytes, rest.RanOn
	return uint64(n[0]), nil
}

// Active is a row of the table active: the latest attempt of a task that is not final, and the
// request to cancel it. The zero value is a task that was never started.
type Active struct {
	Attempt   int32
	Started   schema.Time
	Cancelled schema.Time
	Reason    string // of the request to cancel it
	// Permit says of a task that waits that it may begin before its start is recorded:
	// by this name there are notes outside of the file that tell whether it has begun.
	// "" is no permit. It is in the column of the reason, which a task that waits has not.
	Permit string
	// Again says of a task that waits that another attempt has ended before: it has a row in the
	// table retry. It is in the column of the reason, too, as againMark.
	Again bool
}

// againMark is no name of notes.
const againMark = "retry"

// note is what is in the column of the reason.
func (a *Active) note() string {
	if a.Again {
		return againMark
	}
	return a.Reason + a.Permit
}

func (a *Active) digest(d Digest, ord int64) Digest {
	return d.number(ord).number(int64(a.Attempt)).number(int64(a.Started)).number(int64(a.Cancelled)).text(a.note())
}

// WriteActive writes the row of a task, in place of an earlier one. It uses d as a buffer for the
// checksum, and returns it.
func WriteActive(c *Conn, d Digest, ord int64, a Active) (Digest, error) {
	d = a.digest(d[:0], ord)
	var started, cancelled, reason any = null{}, null{}, null{}
	if !a.Started.IsZero() {
		started = int64(a.Started)
	}
	switch {
	case !a.Cancelled.IsZero():
		cancelled, reason = int64(a.Cancelled), a.Reason
	case a.note() != "":
		reason = a.note()
	}
	return d, c.Run("INSERT OR REPLACE INTO active VALUES(?,?,?,?,?,?)", ord, int64(a.Attempt), started, cancelled, reason, d.Sum())
}

// ReadStart is ReadActive for a task of which the table store says whether it was started. The
// row is damaged if there is one and it was not started, or the other way round. Without a start
// the result is the zero Active.
func ReadStart(row *sqlite3.Stmt, at int, started bool) (a Active, err error) {
	if has := row.ColumnType(at) != sqlite3.NULL; has != started {
		return a, damaged("active", row.ColumnInt64(0))
	}
	if !started {
		return a, nil
	}
	return ReadActive(row, at)
}

// ActiveOf reads the row of active of a task, and reports whether there is one.
func ActiveOf(c *Conn, ord int64) (a Active, found bool, err error) {
	err = c.Query("SELECT ord, attempt, started, cancelled, reason, sum FROM active WHERE ord=?", func(row *sqlite3.Stmt) (err error) {
		found = true
		a, err = ReadActive(row, 0)
		return err
	}, ord)
	return a, found, err
}

// ReadActive reads the columns ord, attempt, started, cancelled, reason and sum, from column at on.
func ReadActive(row *sqlite3.Stmt, at int) (a Active, err error) {
	ord := row.ColumnInt64(at)
	a = Active{
		Attempt: int32(row.ColumnInt64(at + 1)), Started: schema.Time(row.ColumnInt64(at + 2)),
		Cancelled: schema.Time(row.ColumnInt64(at + 3)), Reason: row.ColumnText(at + 4),
	}
	if a.digest(nil, ord).Sum() != row.ColumnInt64(at+5) {
		return a, damaged("active", ord)
	}
	if a.Started.IsZero() && a.Cancelled.IsZero() {
		if a.Again = a.Reason == againMark; !a.Again {
			a.Permit = a.Reason
		}
		a.Reason = ""
	}
	return a, nil
}

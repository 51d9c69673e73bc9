package sqlite

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

// The columns of a task and of its end, in the order in which they are read.
const (
	taskColumns = "task.ord, id, type, created, priority, rerun, timeout, grace, labels, task.sum, inputsum, input"
	// bareColumns are taskColumns where a large input is not read.
	bareColumns = "task.ord, id, type, created, priority, rerun, timeout, grace, labels, task.sum, inputsum, iif(inputsum IS NULL, input, NULL)"
	doneColumns = "done.ord, seq, state, done.attempt, done.started, finished, bytes, more, done.sum, result, error"
	// doneAt is where the columns of the end begin, behind those of the task.
	doneAt = 12
)

// largeInput is from how many bytes on an input has a checksum of its own, so
// that the rest of the row can be read without it.
const largeInput = 1 << 10

// lenient takes texts that are not UTF-8 and labels that are the same when
// they are made UTF-8: one task must not keep the others from being recorded.
var lenient = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// text is JSON for a column, or NULL for nothing.
func text(v any, some bool) (any, []byte, error) {
	if !some {
		return null{}, nil, nil
	}
	b, err := json.Marshal(v, lenient)
	return string(b), b, err
}

func insertTask(c *conn, d digest, r *record, typ int64) (digest, error) {
	labels, labelsText, err := text(r.Labels, len(r.Labels) > 0)
	if err != nil {
		return d, err
	}
	timeout, grace, rerun := milliseconds(r.Timeout), milliseconds(r.Grace), int64(0)
	if r.Rerun {
		rerun = 1
	}
	d = taskDigest(d[:0], r.ord, r.ID, r.Type, int64(r.CreatedAt), int64(r.Priority), rerun, timeout, grace, labelsText)
	var inputSum any = null{}
	if len(r.Input) < largeInput {
		d = d.bytes(r.Input)
	}
	sum := d.sum()
	if len(r.Input) >= largeInput {
		d = d[:0].number(r.ord).bytes(r.Input)
		inputSum = d.sum()
	}
	err = c.exec("INSERT INTO task VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", r.ord, r.ID[:], typ, int64(r.CreatedAt),
		int64(r.Priority), rerun, timeout, grace, labels, sum, inputSum, string(r.Input))
	for name, value := range r.Labels {
		if err == nil {
			err = c.exec("INSERT INTO label VALUES(?,?,?)", name, value, r.ord)
		}
	}
	return d, err
}

func taskDigest(d digest, ord int64, id uuid.UUID, typ string, created, priority, rerun, timeout, grace int64, labels []byte) digest {
	return d.number(ord).bytes(id[:]).text(typ).number(created).number(priority).number(rerun).
		number(timeout).number(grace).bytes(labels)
}

// milliseconds rounds up: a bound that is there is never none. The greatest are
// a little less, so that the milliseconds are a time.Duration again.
func milliseconds(d time.Duration) int64 {
	const up = time.Millisecond - 1
	return int64((min(d, math.MaxInt64-up) + up) / time.Millisecond)
}

// readTask reads taskColumns or bareColumns.
func (s *Store) readTask(c *conn, row *sqlite3.Stmt) (r executor.Record, ord int64, err error) {
	ord = row.ColumnInt64(0)
	id := row.ColumnRawBlob(1)
	if len(id) != len(r.ID) {
		return r, ord, damaged("task", ord)
	}
	copy(r.ID[:], id)
	if r.Type, err = s.types.name(c, row.ColumnInt64(2)); errors.Is(err, errNoType) {
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
	if d.sum() != row.ColumnInt64(9) {
		return r, ord, damaged("task", ord)
	}
	if large && input != nil && digest(nil).number(ord).bytes(input).sum() != row.ColumnInt64(10) {
		return r, ord, damaged("task", ord)
	}
	if labels != nil {
		if err := json.Unmarshal(labels, &r.Labels, lenient); err != nil {
			return r, ord, damaged("task", ord)
		}
	}
	r.CreatedAt, r.Priority, r.Rerun = schema.Time(created), int8(priority), rerun == 1
	r.Timeout, r.Grace = time.Duration(timeout)*time.Millisecond, time.Duration(grace)*time.Millisecond
	if input != nil {
		r.Input = keep(input)
	}
	return r, ord, nil
}

var emptyObject = jsontext.Value("{}")

// keep copies a value, but for the commonest one, which all tasks share.
func keep(v []byte) jsontext.Value {
	if string(v) == "{}" {
		return emptyObject
	}
	return bytes.Clone(v)
}

// rest is what most ends do not have.
type rest struct {
	CancelRequestedAt schema.Time         `json:"cancelRequestedAt,omitzero"`
	CancelReason      string              `json:"cancelReason,omitzero"`
	Progress          *schema.Progress    `json:"progress,omitzero"`
	OutputBytes       *schema.OutputBytes `json:"outputBytes,omitzero"`
}

// insertDone records the end of a task. It replaces an end that a commit has
// written that was then told to have failed.
func insertDone(c *conn, d digest, ord int64, t *schema.Task, seq uint64, size int64) (digest, error) {
	rest := rest{t.CancelRequestedAt, t.CancelReason, t.Progress, t.OutputBytes}
	more, moreText, err := text(rest, !t.CancelRequestedAt.IsZero() || t.Progress != nil || t.OutputBytes != nil)
	if err != nil {
		return d, err
	}
	failure, failureText, err := text(t.Error, t.Error != nil)
	if err != nil {
		return d, err
	}
	var result, started any = null{}, null{}
	if t.Result != nil {
		result = string(t.Result)
	}
	since := int64(-1)
	if !t.StartedAt.IsZero() {
		since = int64(t.StartedAt - t.CreatedAt)
		started = since
	}
	finished := int64(t.FinishedAt - max(t.StartedAt, t.CreatedAt))
	d = doneDigest(d[:0], ord, int64(seq), int64(t.State), int64(t.Attempt), since, finished, size, moreText, t.Result, failureText)
	return d, c.exec("INSERT OR REPLACE INTO done VALUES(?,?,?,?,?,?,?,?,?,?,?)", ord, int64(seq), int64(t.State),
		int64(t.Attempt), started, finished, size, more, d.sum(), result, failure)
}

func doneDigest(d digest, ord, seq, state, attempt, started, finished, size int64, more, result, failure []byte) digest {
	return d.number(ord).number(seq).number(state).number(attempt).number(started).number(finished).number(size).
		bytes(more).bytes(result).bytes(failure)
}

// readDone reads doneColumns, from column at, into a task that readTask has read.
func readDone(row *sqlite3.Stmt, at int, t *schema.Task) (seq uint64, err error) {
	ord := row.ColumnInt64(at)
	n := [6]int64{}
	for i := range n {
		n[i] = row.ColumnInt64(at + 1 + i)
	}
	if row.ColumnType(at+4) == sqlite3.NULL {
		n[3] = -1
	}
	more, result, failure := row.ColumnRawText(at+7), row.ColumnRawText(at+9), row.ColumnRawText(at+10)
	if doneDigest(nil, ord, n[0], n[1], n[2], n[3], n[4], n[5], more, result, failure).sum() != row.ColumnInt64(at+8) {
		return 0, damaged("done", ord)
	}
	t.State, t.Attempt = schema.State(n[1]), int32(n[2])
	if n[3] >= 0 {
		t.StartedAt = t.CreatedAt + schema.Time(n[3])
	}
	t.FinishedAt = max(t.StartedAt, t.CreatedAt) + schema.Time(n[4])
	if result != nil {
		t.Result = keep(result)
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
	t.CancelRequestedAt, t.CancelReason, t.Progress, t.OutputBytes = rest.CancelRequestedAt, rest.CancelReason, rest.Progress, rest.OutputBytes
	return uint64(n[0]), nil
}

// attempt is what a row of active says of a task: that it waits, or that an
// attempt may be running.
type attempt struct {
	number    int32
	started   schema.Time
	cancelled schema.Time
	reason    string
}

func (a *attempt) digest(d digest, ord int64) digest {
	return d.number(ord).number(int64(a.number)).number(int64(a.started)).number(int64(a.cancelled)).text(a.reason)
}

func writeActive(c *conn, d digest, ord int64, a attempt) (digest, error) {
	d = a.digest(d[:0], ord)
	var started, cancelled, reason any = null{}, null{}, null{}
	if !a.started.IsZero() {
		started = int64(a.started)
	}
	if !a.cancelled.IsZero() {
		cancelled, reason = int64(a.cancelled), a.reason
	}
	return d, c.exec("INSERT OR REPLACE INTO active VALUES(?,?,?,?,?,?)", ord, int64(a.number), started, cancelled, reason, d.sum())
}

// readActive reads ord, attempt, started, cancelled, reason and sum from column at.
func readActive(row *sqlite3.Stmt, at int) (a attempt, err error) {
	ord := row.ColumnInt64(at)
	a = attempt{
		number: int32(row.ColumnInt64(at + 1)), started: schema.Time(row.ColumnInt64(at + 2)),
		cancelled: schema.Time(row.ColumnInt64(at + 3)), reason: row.ColumnText(at + 4),
	}
	if a.digest(nil, ord).sum() != row.ColumnInt64(at+5) {
		return a, damaged("active", ord)
	}
	return a, nil
}

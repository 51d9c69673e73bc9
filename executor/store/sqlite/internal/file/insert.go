package file

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TaskRow is a new task that is to be recorded: as the task number Ord, of the type
// number Type.
type TaskRow struct {
	Ord, Type int64
	Record    *executor.Record
}

// DoneRow is the end of the task number Ord that is to be recorded. Size is what
// retention counts.
type DoneRow struct {
	Ord  int64
	Task *schema.Task
	Seq  uint64
	Size int64
}

// An insertion that fails at a row keeps the rows before it: the caller rolls back the whole
// transaction on an error.
var (
	taskInsertion  = newInsertion("INSERT OR FAIL INTO task VALUES", 12)
	taskReplacing  = newInsertion("INSERT OR REPLACE INTO task VALUES", 12)
	labelInsertion = newInsertion("INSERT INTO label VALUES", 3)
	doneInsertion  = newInsertion("INSERT OR FAIL INTO done VALUES", 11)
	doneReplacing  = newInsertion("INSERT OR REPLACE INTO done VALUES", 11)
)

// InsertTasks records new tasks, with their labels and conditions.
func InsertTasks(c *Conn, rows []TaskRow) error {
	err := c.insert(&taskInsertion, len(rows), func(b *binder, i int) error { return rows[i].bind(b) })
	if err != nil {
		return err
	}
	return insertDetails(c, rows)
}

// insertDetails records what tasks have in other tables than task.
func insertDetails(c *Conn, rows []TaskRow) error {
	var labels []labelRow
	for i := range rows {
		for name, value := range rows[i].Record.Labels {
			labels = append(labels, labelRow{name, value, rows[i].Ord})
		}
	}
	if err := c.insert(&labelInsertion, len(labels), func(b *binder, i int) error { return labels[i].bind(b) }); err != nil {
		return err
	}
	return insertConditions(c, rows)
}

// ReplaceTask records a task in place of the row that the file has of it. It may have the labels
// before, and conditions.
func ReplaceTask(c *Conn, row TaskRow, before map[string]string) error {
	if err := c.insert(&taskReplacing, 1, func(b *binder, _ int) error { return row.bind(b) }); err != nil {
		return err
	}
	for _, labels := range []map[string]string{before, row.Record.Labels} {
		for name, value := range labels {
			if err := RemoveLabel(c, row.Ord, name, value); err != nil {
				return err
			}
		}
	}
	if err := RemoveConditions(c, row.Ord); err != nil {
		return err
	}
	return insertDetails(c, []TaskRow{row})
}

// labelRow is a label of the task number ord.
type labelRow struct {
	name, value string
	ord         int64
}

// RemoveLabel removes a label of a task, if there is such a row.
func RemoveLabel(c *Conn, ord int64, name, value string) error {
	return c.Run("DELETE FROM label WHERE name=? AND value=? AND ord=?", name, value, ord)
}

func (row *labelRow) bind(b *binder) error {
	b.string(row.name)
	b.string(row.value)
	b.numbers(row.ord)
	return b.err
}

func (row *TaskRow) bind(b *binder) error {
	r := row.Record
	labels, err := labelsText(r.Labels)
	if err != nil {
		return err
	}
	timeout, grace, rerun, large := milliseconds(r.Timeout), milliseconds(r.Grace), int64(0), len(r.Input) >= LargeInput
	if r.Rerun {
		rerun = 1
	}
	if r.Conditions != nil {
		rerun += conditioned
	}
	d := taskDigest(b.digest[:0], row.Ord, r.ID, r.Type, int64(r.CreatedAt), int64(r.Priority), rerun, timeout, grace, labels)
	if !large {
		d = d.bytes(r.Input)
	}
	b.numbers(row.Ord)
	b.blob(r.ID[:])
	b.numbers(row.Type, int64(r.CreatedAt), int64(r.Priority), rerun, timeout, grace)
	b.text(labels)
	b.numbers(d.Sum())
	if large {
		d = d[:0].number(row.Ord).bytes(r.Input)
		b.numbers(d.Sum())
	} else {
		b.null()
	}
	if r.Input == nil {
		b.text(noText)
	} else {
		b.text(r.Input)
	}
	b.digest = d
	return b.err
}

// noText is a text of no bytes, which is not NULL.
var noText = []byte{}

// InsertDone records ends. A damaged file may have an end for a task that has not ended;
// that end is replaced.
func InsertDone(c *Conn, rows []DoneRow) error {
	err := c.insert(&doneInsertion, len(rows), func(b *binder, i int) error { return rows[i].bind(b) })
	if errors.Is(err, sqlite3.CONSTRAINT) {
		err = c.insert(&doneReplacing, len(rows), func(b *binder, i int) error { return rows[i].bind(b) })
	}
	return err
}

func (row *DoneRow) bind(b *binder) error {
	t := row.Task
	rest := rest{t.CancelRequestedAt, t.CancelReason, t.Progress, t.OutputBytes, t.RanOn}
	more, err := text(rest, !t.CancelRequestedAt.IsZero() || t.Progress != nil || t.OutputBytes != nil || t.RanOn != nil)
	if err != nil {
		return err
	}
	failure, err := text(t.Error, t.Error != nil)
	if err != nil {
		return err
	}
	started := int64(-1)
	if !t.StartedAt.IsZero() {
		started = int64(t.StartedAt - t.CreatedAt)
	}
	finished := int64(t.FinishedAt - max(t.StartedAt, t.CreatedAt))
	b.digest = doneDigest(b.digest[:0], row.Ord, int64(row.Seq), int64(t.State), int64(t.Attempt), started, finished, row.Size, more, t.Result, failure)
	b.numbers(row.Ord, int64(row.Seq), int64(t.State), int64(t.Attempt))
	if t.StartedAt.IsZero() {
		b.null()
	} else {
		b.numbers(started)
	}
	b.numbers(finished, row.Size)
	b.text(more)
	b.numbers(b.digest.Sum())
	b.text(t.Result)
	b.text(failure)
	return b.err
}

// labelsText is the labels of a task for a column. Most tasks that have any have one: the
// name of their client.
func labelsText(labels map[string]string) ([]byte, error) {
	if len(labels) != 1 {
		return text(labels, len(labels) > 0)
	}
	b := []byte{'{'}
	for name, value := range labels { // the errors are of what lenient accepts
		b, _ = jsontext.AppendQuote(b, name)
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, value)
	}
	return append(b, '}'), nil
}

// text is JSON for a column, or nil for nothing.
func text(v any, some bool) ([]byte, error) {
	if !some {
		return nil, nil
	}
	return json.Marshal(v, lenient)
}

// groupSizes are how many rows one statement inserts: as many as fit.
var groupSizes = [...]int{32, 16, 8, 4, 2, 1}

// insertion is a statement that inserts rows of so many columns, for each of groupSizes.
type insertion struct {
	columns int
	texts   [len(groupSizes)]string
}

func newInsertion(verb string, columns int) insertion {
	in := insertion{columns: columns}
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	for i, n := range groupSizes {
		in.texts[i] = verb + strings.Join(slices.Repeat([]string{row}, n), ",")
	}
	return in
}

// insert inserts n rows, for each of which bind is called once.
func (c *Conn) insert(in *insertion, n int, bind func(b *binder, i int) error) error {
	b := &binder{digest: c.digest}
	defer func() { c.digest = b.digest }()
	for at, group := 0, 0; at < n; {
		if groupSizes[group] > n-at {
			group++
			continue
		}
		s, err := c.stmt(in.texts[group])
		if err != nil {
			return err
		}
		b.stmt, b.parameter, b.bytes = s, 0, 0
		for end := at + groupSizes[group]; at < end; at++ {
			if err := bind(b, at); err != nil {
				return err
			}
		}
		err = s.Exec()
		if b.bytes > maxBound { // a statement keeps what is bound to it
			err = errors.Join(err, s.ClearBindings())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxBound is how many bytes of texts an idle statement may keep.
const maxBound = 64 << 10

// binder sets the parameters of a statement one after the other. It keeps the first error.
type binder struct {
	stmt      *sqlite3.Stmt
	parameter int // the latest that was set
	bytes     int // of texts
	digest    Digest
	err       error
}

func (b *binder) numbers(values ...int64) {
	for _, v := range values {
		b.parameter++
		if b.err == nil {
			b.err = b.stmt.BindInt64(b.parameter, v)
		}
	}
}

func (b *binder) null() {
	b.parameter++
	if b.err == nil {
		b.err = b.stmt.BindNull(b.parameter)
	}
}

// text binds a text, or NULL where it is nil.
func (b *binder) text(v []byte) {
	b.parameter++
	b.bytes += len(v)
	if b.err == nil {
		b.err = b.stmt.BindRawText(b.parameter, v)
	}
}

func (b *binder) string(v string) {
	b.parameter++
	b.bytes += len(v)
	if b.err == nil {
		b.err = b.stmt.BindText(b.parameter, v)
	}
}

func (b *binder) blob(v []byte) {
	b.parameter++
	if b.err == nil {
		b.err = b.stmt.BindBlob(b.parameter, v)
	}
}

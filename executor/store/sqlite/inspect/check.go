package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Check reads all of a store, held or not, and reports all data that is not as it was
// written. It changes no file. An error means that the store could not be checked; a
// finding means that the store is damaged. The memory that Check uses does not grow
// with the number of tasks. While it runs, the write-ahead log of a held store cannot
// start again from its beginning.
func Check(ctx context.Context, path string, report func(Finding)) error {
	in, err := openInspection(ctx, path)
	if e, ok := file.Corruption(err); ok {
		report(Finding{Text: fmt.Sprintf("the file cannot be read: %v", e)})
		return nil
	}
	if err != nil {
		return err
	}
	k := &checker{inspection: in, report: report}
	if err = in.snapshot(); err == nil {
		k.all()
		err = ctx.Err()
	} else {
		k.found(0, "the file cannot be read: %v", err)
		err = nil
	}
	return errors.Join(err, in.close())
}

// checker is a check at work.
type checker struct {
	*inspection
	report func(Finding)
	rows   file.State // as counted
	// labels are those of all tasks that the table label has, labelRows its
	// rows of tasks: more of them are of labels that no task has.
	labels, labelRows int64
	// unread is whether there is a task whose labels are not known.
	unread bool
	seq    int64  // the greatest number of an end
	breaks breaks // of the table clock
	// span is the span that openness read last. spanErr is why it could not be read.
	span    *file.OpenSpan
	spanErr error
}

// found reports something of a task, or of none where ord is 0.
func (k *checker) found(ord int64, format string, args ...any) {
	f := Finding{Number: ord, Text: fmt.Sprintf(format, args...)}
	if ord != 0 { // without the id, where that cannot be read
		_ = k.conn.Query("SELECT id FROM task WHERE ord=?", func(row *sqlite3.Stmt) error {
			if id := row.ColumnRawBlob(0); len(id) == len(f.ID) {
				copy(f.ID[:], id)
			}
			return nil
		}, ord)
	}
	k.report(f)
}

// all checks all parts. It continues after a part that fails, because others may find more.
func (k *checker) all() {
	whole := true
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"the write-ahead log", k.log}, {"the pages of the file", k.pages}, {"the definitions of the tables", k.tables}, {"the table task", k.tasks}, {"the table clock", k.clock},
		{"the table done", k.orphans("done")}, {"the table active", k.orphans("active")},
		{"the table store", k.orphansOpen}, {"the table typed", k.typed}, {"the table ended", k.ended},
		{"the table label", k.orphans("label")}, {"the table label", k.countLabels}, {"the table output", k.output}, {"the table output", k.orphans("output")}, {"the index done_bad", k.badIndex}, {"the table gone", k.gone},
		{"the table condition", k.conditions}, {"the table groups", k.groups}, {"the table schedule", k.schedules}, {"the table retry", k.retries},
	} {
		if err := part.do(); err != nil {
			whole = false
			k.found(0, "%s cannot be read to the end: %v", part.name, err)
		}
	}
	st, err := file.ReadState(k.conn)
	if err != nil {
		k.found(0, "the table store cannot be read: %v", err)
	} else if whole { // else the counts of rows mean nothing
		k.counters(&st)
	}
}

// log looks at what SQLite passes over when it opens the file.
func (k *checker) log() error {
	d, err := file.ScanWAL(k.path)
	if d != (file.WALDamage{}) {
		k.found(0, "%v", d)
	}
	return err
}

// maxPageFindings bounds what SQLite says of the pages: one bad page is often
// many findings.
const maxPageFindings = 100

// pages lets SQLite look: at the structure of the file, at the indexes against
// their tables, which finds ids that are there twice, and at NOT NULL. It does
// not count the entries of a partial index: badIndex looks at those.
func (k *checker) pages() error {
	sql := fmt.Sprintf("PRAGMA integrity_check(%d)", maxPageFindings)
	return k.conn.Query(sql, func(row *sqlite3.Stmt) error {
		if text := row.ColumnText(0); text != "ok" {
			k.found(0, "SQLite says of the file: %s", text)
		}
		return nil
	})
}

// tables holds what defines the tables against this program's migrations.
func (k *checker) tables() error {
	if err := file.CheckTables(k.conn, k.name, k.version); err != nil {
		k.found(0, "%v", err)
	}
	return nil
}

// selectAll reads every task with its end and its row of active, the oldest
// first. activeAt is where the columns of active begin.
const (
	selectAll = "SELECT " + file.TaskColumns + ", " + file.DoneColumns + ", active.ord, active.attempt, active.started, cancelled, reason, active.sum" +
		" FROM task LEFT JOIN done ON done.ord=task.ord LEFT JOIN active ON active.ord=task.ord"
	activeAt = file.DoneAt + 11
)

func (k *checker) tasks() error {
	return k.conn.Query(selectAll+" ORDER BY task.ord", func(row *sqlite3.Stmt) error {
		ord := row.ColumnInt64(0)
		k.rows.Ord = max(k.rows.Ord, ord)
		r, _, err := file.ReadTask(k.conn, k.types, row)
		if err != nil {
			k.unreadable(ord, "task", err)
		}
		k.tick(ord, int64(r.CreatedAt), err == nil)
		done, active := row.ColumnType(file.DoneAt) != sqlite3.NULL, row.ColumnType(activeAt) != sqlite3.NULL
		is, e := k.openness(ord, active)
		if e != nil {
			return e
		}
		switch {
		case is.unknown:
		case done && is.open:
			k.found(ord, "it has an end in the table done, and is noted in the table store as one that has none")
		case !done && !is.open:
			k.found(ord, "it has no end in the table done, and is not noted in the table store as one that has none, so it never runs and never ends")
		}
		if done {
			k.done(row, ord, &r)
		}
		if is.open {
			k.rows.Active++
		}
		k.active(row, ord, is, &r)
		if err != nil {
			k.unread = true
			return nil
		}
		return k.labelled(ord, r.Labels)
	})
}

// openness is what the file notes of whether a task is final.
type openness struct {
	open    bool // it is not
	started bool // it has a row in active
	unknown bool // the note is damaged
}

// openness looks up what is noted of a task. Before version 3 that was its row in active.
func (k *checker) openness(ord int64, active bool) (openness, error) {
	if k.version < 3 {
		return openness{open: active, started: active}, nil
	}
	if k.span == nil || !k.span.Holds(ord) {
		var err error
		if k.span, k.spanErr, err = file.ReadOpenSpan(k.conn, ord); err != nil {
			return openness{}, err
		}
	}
	if k.spanErr != nil {
		return openness{unknown: true}, nil
	}
	return openness{open: k.span.Has(ord), started: k.span.Started(ord)}, nil
}

// active looks at the row in active of a task, of whose record r is what could be read.
func (k *checker) active(row *sqlite3.Stmt, ord int64, is openness, r *executor.Record) {
	has := row.ColumnType(activeAt) != sqlite3.NULL
	switch {
	case is.unknown:
	case has && !is.started:
		k.found(ord, "it has a row in the table active, and is noted in the table store as one that has none")
	case !has && is.started:
		k.found(ord, "its row in the table active is not there, which says how often it was tried and whether it ran")
	}
	if !has {
		return
	}
	a, err := file.ReadActive(row, activeAt)
	switch {
	case err != nil:
		k.unreadable(ord, "active", err)
	case a.Again:
		k.triedBefore(ord, "it waits for its next attempt")
	case a.Attempt > 1 && r.Conditions != nil && r.Conditions.Retry != nil: // whatever ended the one before
		k.triedBefore(ord, fmt.Sprintf("it is in attempt %d", a.Attempt))
	}
}

// orphansOpen looks for notes that are damaged, and for those of tasks that are not there.
func (k *checker) orphansOpen() error {
	if k.version < 3 {
		return nil
	}
	return file.EachOpenSpan(k.conn, func(s *file.OpenSpan, err error) error {
		if err != nil {
			k.found(0, "%v", err)
			return nil
		}
		return s.Each(func(ord int64) error {
			n, err := k.conn.Number("SELECT count(*) FROM task WHERE ord=?", ord)
			if err == nil && n == 0 {
				k.found(ord, "there is no such task, but it is noted in the table store as one that has not ended")
			}
			return err
		})
	})
}

// typed looks for tasks that a list by their type does not find, and for rows that are of no use.
func (k *checker) typed() error {
	if k.version < 3 {
		return nil
	}
	err := file.EachUntyped(k.conn, func(ord int64) error {
		k.found(ord, "no list finds it by its type: that is not in the table typed")
		return nil
	})
	if err != nil {
		return err
	}
	return file.EachUnusedSpan(k.conn, func(s file.TypeSpan) error {
		k.found(0, "the table typed has a span number %d of the type number %d, in which there is no task of that type", s.Span, s.Type)
		return nil
	})
}

// ended looks for ends that a replay does not find, and for rows that are of no use.
func (k *checker) ended() error {
	if k.version < 4 {
		return nil
	}
	err := file.EachEndNotFound(k.conn, func(ord int64) error {
		k.found(ord, "its end is not found by its event number: that is not in the table ended")
		return nil
	})
	if err != nil {
		return err
	}
	return file.EachUnusedEndSpan(k.conn, func(s file.EndSpan) error {
		k.found(0, "the table ended has a span number %d of event numbers and %d of tasks, in which there is no end", s.Seqs, s.Ords)
		return nil
	})
}

// unreadable reports a row that does not read.
func (k *checker) unreadable(ord int64, table string, err error) {
	switch {
	case errors.Is(err, file.ErrConditions):
		table = "condition"
	case errors.Is(err, file.ErrHistory):
		table = "retry"
	}
	if errors.Is(err, executor.ErrDamaged) {
		k.found(ord, "the checksum of its row in the table %s is wrong", table)
		return
	}
	k.found(ord, "its row in the table %s cannot be read: %v", table, err)
}

func (k *checker) done(row *sqlite3.Stmt, ord int64, r *executor.Record) {
	if _, err := file.ReadDone(row, file.DoneAt, &r.Task); err != nil {
		k.unreadable(ord, "done", err)
	}
	seq, how, bytes := row.ColumnInt64(file.DoneAt+1), schema.State(row.ColumnInt64(file.DoneAt+2)), row.ColumnInt64(file.DoneAt+6)
	k.seq = max(k.seq, seq)
	if !how.Final() || how > schema.Cancelled {
		k.found(ord, "it ended in state %d, which is none of an end", how)
	}
	k.rows.Ended(how, 1, bytes)
}

// labelled looks for the rows by which a list finds a task's labels.
func (k *checker) labelled(ord int64, labels map[string]string) error {
	for name, value := range labels {
		n, err := k.conn.Number("SELECT count(*) FROM label WHERE name=? AND value=? AND ord=?", name, value, ord)
		if err != nil {
			return err
		}
		if n == 0 {
			k.found(ord, "no list finds it by its label %q: that is not in the table label", name)
		}
		k.labels += n
	}
	return nil
}

// orphans looks for rows of tasks that are not there.
func (k *checker) orphans(table string) func() error {
	return func() error {
		sql := fmt.Sprintf("SELECT ord FROM %s WHERE NOT EXISTS(SELECT 1 FROM task WHERE task.ord=%[1]s.ord)", table)
		return k.conn.Query(sql, func(row *sqlite3.Stmt) error {
			k.found(row.ColumnInt64(0), "there is no such task, but a row of it in the table %s", table)
			return nil
		})
	}
}

func (k *checker) countLabels() (err error) {
	k.labelRows, err = k.conn.Number("SELECT count(*) FROM label JOIN task USING(ord)")
	return err
}

// badIndex looks for entries that a list of failed or cancelled tasks would
// follow in vain.
func (k *checker) badIndex() error {
	return k.conn.Query("SELECT ord, state FROM done INDEXED BY done_bad WHERE state>2", func(row *sqlite3.Stmt) error {
		ord, state := row.ColumnInt64(0), row.ColumnInt64(1)
		n, err := k.conn.Number("SELECT count(*) FROM done NOT INDEXED WHERE ord=? AND state=?", ord, state)
		if err == nil && n == 0 {
			k.found(ord, "the index done_bad has it in state %d, the table done has not", state)
		}
		return err
	})
}

func (k *checker) output() error {
	return k.conn.Query("SELECT ord, stream, start, sum, data FROM output", func(row *sqlite3.Stmt) error {
		ord, stream, start := row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2)
		if stream < 0 || stream >= int64(len(schema.StreamNames)) {
			k.found(ord, "it has output of a stream number %d, which is none", stream)
		} else if file.PieceDigest(nil, ord, stream, start, row.ColumnRawBlob(4)).Sum() != row.ColumnInt64(3) {
			k.found(ord, "the checksum of its output is wrong: %s from byte %d on", schema.Stream(stream), start)
		}
		return nil
	})
}

// counters holds what the table store counts against the rows.
func (k *checker) counters(st *file.State) {
	for _, c := range []struct {
		name       string
		says, rows int64
	}{
		{"tasks that are not final", st.Active, k.rows.Active}, {"completed tasks", st.Completed, k.rows.Completed},
		{"failed tasks", st.Failed, k.rows.Failed}, {"cancelled tasks", st.Cancelled, k.rows.Cancelled},
		{"bytes of finished tasks", st.Bytes, k.rows.Bytes},
	} {
		if c.says != c.rows {
			k.found(0, "%s: the table store counts %d, the rows are %d", c.name, c.says, c.rows)
		}
	}
	if k.seq > st.Seq {
		k.found(0, "an end has the event number %d, and only those up to %d were reserved", k.seq, st.Seq)
	}
	if k.rows.Ord > st.Ord {
		k.found(0, "the newest task has the number %d, and the table store knows up to %d", k.rows.Ord, st.Ord)
	}
	if !k.unread && k.labelRows != k.labels {
		k.found(0, "labels of tasks: the table label has %d, the tasks have %d", k.labelRows, k.labels)
	}
}

// gone looks at the ids that are remembered.
func (k *checker) gone() error {
	if k.version < 2 { // it has no such table
		return nil
	}
	return k.conn.Query("SELECT n, id, sum FROM gone", func(row *sqlite3.Stmt) error {
		if n := row.ColumnInt64(0); file.ForgottenDigest(nil, n, row.ColumnRawBlob(1)).Sum() != row.ColumnInt64(2) {
			k.found(0, "the checksum of row %d in the table gone is wrong: a task that is no longer kept could run again", n)
		}
		return nil
	})
}

package inspect

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Export calls each for every task of a store, held or not, that the filter
// selects, the oldest first, as of one moment. It changes no file. The task
// has its input; it lacks what only the process knows that runs it, which is
// its progress and how much it has written so far. One that cannot be read is
// reported and passed over.
func Export(ctx context.Context, path string, filter executor.Filter, each func(*schema.Task) error, report func(Finding)) error {
	return export(ctx, path, &filter, func(_ *checker, _ int64, t *schema.Task) error { return each(t) }, report)
}

// Outputs are the kept parts of the streams of a task.
type Outputs [len(schema.StreamNames)]executor.OutputPiece

// ExportOutputs is Export with the output of each task, as far as it is in the file.
// All output of a task is in memory at once. If a piece in the middle of a stream is
// lost or damaged, the exported stream begins after that piece, at its Offset.
func ExportOutputs(ctx context.Context, path string, filter executor.Filter, each func(*schema.Task, *Outputs) error, report func(Finding)) error {
	return export(ctx, path, &filter, func(k *checker, ord int64, t *schema.Task) error {
		var all Outputs
		for i := range all {
			first, total, err := k.outputOf(ord, t, schema.Stream(i))
			if err != nil {
				return err
			}
			if all[i], err = lastWhole(k.conn, ord, schema.Stream(i), first, total); err != nil {
				return err
			}
			all[i].Final = t.State.Final()
		}
		return each(t, &all)
	}, report)
}

func export(ctx context.Context, path string, filter *executor.Filter, each func(k *checker, ord int64, t *schema.Task) error, report func(Finding)) error {
	in, err := openInspection(ctx, path)
	if err != nil {
		return file.ExplainCorruption(path, err, file.AdviceUseOutput)
	}
	until := int64(filter.Until)
	if filter.Until.IsZero() {
		until = 1 << 62
	}
	k := &checker{inspection: in, report: report}
	if err = in.snapshot(); err == nil {
		err = in.conn.Query(selectAll+" WHERE created>=? AND created<? ORDER BY task.ord", func(row *sqlite3.Stmt) error {
			t, ok := k.exported(row)
			if !ok || !filter.Match(t) {
				return nil
			}
			return each(k, row.ColumnInt64(0), t)
		}, int64(filter.Since), until)
	}
	return in.end(err, "export "+path, file.AdviceUseOutput)
}

// exported is the task of a row of selectAll, or false where it is damaged.
func (k *checker) exported(row *sqlite3.Stmt) (*schema.Task, bool) {
	r, ord, err := file.ReadTask(k.conn, k.types, row)
	if err != nil {
		k.unreadable(ord, "task", err)
		return nil, false
	}
	if row.ColumnType(file.DoneAt) != sqlite3.NULL {
		if _, err := file.ReadDone(row, file.DoneAt, &r.Task); err != nil {
			k.unreadable(ord, "done", err)
			return nil, false
		}
		return k.withAttempts(&r, ord, file.HasHistory(&r.Task), false)
	}
	is, err := k.openness(ord, row.ColumnType(activeAt) != sqlite3.NULL)
	if err != nil {
		k.unreadable(ord, "store", err)
		return nil, false
	}
	if is.unknown { // as a server finds out
		is = openness{open: true, started: row.ColumnType(activeAt) != sqlite3.NULL}
	}
	if !is.open {
		k.found(ord, "it has no end in the table done, and is not noted in the table store as one that has none")
		return nil, false
	}
	a, err := file.ReadStart(row, activeAt, is.started)
	if err != nil {
		k.unreadable(ord, "active", err)
		return nil, false
	}
	r.Attempt, r.StartedAt, r.CancelRequestedAt, r.CancelReason = a.Attempt, a.Started, a.Cancelled, a.Reason
	if !a.Started.IsZero() {
		r.State = schema.Running
	}
	return k.withAttempts(&r, ord, r.Attempt > 0, a.Again)
}

// withAttempts is a task with its attempts, where another one followed one of them. It answers
// false where they are damaged, or must be there and are not.
func (k *checker) withAttempts(r *executor.Record, ord int64, mayHave, mustHave bool) (*schema.Task, bool) {
	if !mayHave || k.version < 5 {
		return &r.Task, true
	}
	var err error
	if r.History, err = file.ReadHistory(k.conn, ord); err == nil && mustHave && r.History == nil {
		err = file.LostHistory(ord)
	}
	if err != nil {
		k.unreadable(ord, "retry", err)
		return nil, false
	}
	if r.History != nil {
		r.ShowAttempts()
	}
	return &r.Task, true
}

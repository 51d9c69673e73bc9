package sqlite

import (
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// How much of a copy is written in one transaction.
const (
	fillTasks = 1000
	fillBytes = 4 << 20
)

// filler writes the rows of a new file.
type filler struct {
	conn  *file.Conn
	state file.State
	open  *file.Open
	opens file.OpenChanges
	types map[string]int64
	typed map[file.TypeSpan]struct{}
	ended map[file.EndSpan]struct{}
	d     file.Digest // a buffer

	// These are of the transaction.
	begun bool
	tasks []file.TaskRow
	done  []file.DoneRow
	bytes int
}

func newFiller(c *file.Conn) *filler {
	f := &filler{conn: c, open: new(file.Open), types: map[string]int64{}, typed: map[file.TypeSpan]struct{}{}, ended: map[file.EndSpan]struct{}{}}
	f.opens = f.open.Change()
	return f
}

// begin begins a transaction where there is none.
func (f *filler) begin() error {
	if f.begun {
		return nil
	}
	f.begun = true
	return f.conn.Run("BEGIN IMMEDIATE")
}

// forgotten writes the id of a task that is no longer kept.
func (f *filler) forgotten(id uuid.UUID) error {
	if err := f.begin(); err != nil {
		return err
	}
	n := &f.state.Forgotten.Last
	*n++
	f.d = file.ForgottenDigest(f.d[:0], *n, id[:])
	return f.conn.Run("INSERT INTO gone VALUES(?,?,?)", *n, id[:], f.d.Sum())
}

// task writes a task.
func (f *filler) task(t *transfer.Task) error {
	if err := f.begin(); err != nil {
		return err
	}
	typ, err := f.typeNumber(t.Type)
	if err != nil {
		return err
	}
	ord, output := int64(t.Order), 0
	for _, kept := range t.Output {
		output += len(kept)
	}
	f.tasks = append(f.tasks, file.TaskRow{Ord: ord, Type: typ, Record: &t.Record})
	f.bytes += len(t.Input) + len(t.Result) + output
	if t.State.Final() {
		size := kit.KeptBytes(t.Input, t.Result, int64(output))
		f.done = append(f.done, file.DoneRow{Ord: ord, Task: &t.Task, Seq: t.Seq, Size: size})
		f.state.Ended(t.State, 1, size)
	} else {
		f.opens.Add(ord)
		f.state.Active++
		err = f.active(t)
	}
	if err == nil {
		err = file.WriteHistory(f.conn, ord, t.History)
	}
	if err == nil {
		err = f.output(t)
	}
	if err == nil && (len(f.tasks) == fillTasks || f.bytes >= fillBytes) {
		err = f.commit()
	}
	return err
}

// typeNumber is the number of a type, which may be new.
func (f *filler) typeNumber(name string) (int64, error) {
	if n, known := f.types[name]; known {
		return n, nil
	}
	if err := f.conn.Run("INSERT INTO type(name) VALUES(?)", name); err != nil {
		return 0, err
	}
	n, err := f.conn.Number("SELECT type FROM type WHERE name=?", name)
	f.types[name] = n
	return n, err
}

// active writes what is noted of the attempts of a task that waits.
func (f *filler) active(t *transfer.Task) (err error) {
	if t.Attempt == 0 {
		return nil
	}
	f.opens.SetStarted(int64(t.Order), true)
	f.d, err = file.WriteActive(f.conn, f.d, int64(t.Order), file.Active{Attempt: t.Attempt, Again: t.History != nil})
	return err
}

// output writes what is kept of the output of a task.
func (f *filler) output(t *transfer.Task) error {
	if t.OutputBytes == nil {
		return nil
	}
	for i, rest := range t.Output {
		start := file.WrittenBytes(t.OutputBytes, schema.Stream(i)) - int64(len(rest))
		for len(rest) > 0 {
			piece := rest[:min(len(rest), executor.MaxOutputPiece)]
			f.d = file.PieceDigest(f.d[:0], int64(t.Order), int64(i), start, piece)
			if err := f.conn.Run("INSERT INTO output VALUES(?,?,?,?,?)", int64(t.Order), int64(i), start, f.d.Sum(), piece); err != nil {
				return err
			}
			start += int64(len(piece))
			rest = rest[len(piece):]
		}
	}
	return nil
}

// commit ends the transaction.
func (f *filler) commit() error {
	err := file.InsertTasks(f.conn, f.tasks)
	if err == nil {
		err = file.InsertDone(f.conn, f.done)
	}
	if err == nil {
		err = writeRows(f.conn, f.typed, nil, len(f.tasks), func(i int) file.TypeSpan { return file.SpanOf(f.tasks[i].Type, f.tasks[i].Ord) })
	}
	if err == nil {
		err = writeRows(f.conn, f.ended, nil, len(f.done), func(i int) file.EndSpan {
			return file.End{Ord: f.done[i].Ord, Seq: int64(f.done[i].Seq)}.Span()
		})
	}
	if err == nil {
		err = f.opens.Write(f.conn)
	}
	if err == nil {
		err = f.conn.Run("COMMIT")
	}
	if err != nil {
		return err
	}
	f.opens.Apply()
	clear(f.tasks)
	clear(f.done)
	f.begun, f.tasks, f.done, f.bytes = false, f.tasks[:0], f.done[:0], 0
	return f.conn.Checkpoint()
}

// finish writes what there is beside tasks, and what is known when all of them are there.
func (f *filler) finish(a *transfer.About) error {
	err := f.begin()
	if err == nil && a.Paused {
		err = file.WriteGroup(f.conn, "", plan.Settings{Paused: true})
	}
	for _, g := range a.Groups {
		err = errors.Join(err, file.WriteGroup(f.conn, g.Name, g.Settings))
	}
	for _, s := range a.Schedules {
		err = errors.Join(err, file.WriteSchedule(f.conn, s.Name, s.Text))
	}
	if err != nil {
		return err
	}
	if err := f.commit(); err != nil {
		return err
	}
	if err := f.clock(); err != nil {
		return err
	}
	f.state.Commits, f.state.Ord, f.state.Seq, f.state.Removed = 1, int64(a.Order), int64(a.Seq), int64(a.Gone)
	return file.WriteState(f.conn, &f.state)
}

// clock notes before which tasks the clock was set back.
func (f *filler) clock() error {
	var breaks []int64
	err := f.conn.Query("SELECT ord, created FROM task ORDER BY ord", func(row *sqlite3.Stmt) error {
		ord, created := row.ColumnInt64(0), row.ColumnInt64(1)
		if created >= f.state.Created-clockSlack {
			f.state.Created = max(f.state.Created, created)
			return nil
		}
		f.state.Created = created
		breaks = append(breaks, ord)
		return nil
	})
	for _, ord := range breaks {
		if err == nil {
			err = f.conn.Run("INSERT INTO clock VALUES(?)", ord)
		}
	}
	return err
}

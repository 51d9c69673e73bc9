package sqlite

import (
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// reserve is how many event numbers are reserved in the file at a time, so that a
// process never reuses a number that an earlier process may have sent to a client.
const reserve = 1 << 24

// transaction is what the committer writes at once.
type transaction struct {
	store *Store
	conn  *file.Conn
	state file.State // as it is when the transaction is on disk
	begun bool
	open  file.OpenChanges
	// These are rows of the tables typed and ended that may no longer be needed.
	unusedTypes map[file.TypeSpan]struct{}
	unusedEnds  map[file.EndSpan]struct{}
	tasks       []file.TaskRow // that commit inserts
	done        []file.DoneRow // that commit inserts
	seq         uint64         // of the latest event
	d           file.Digest    // a buffer
	// fresh are the tasks that it records. breaks are the places of those before
	// which the clock was set back.
	fresh    map[uuid.UUID]*record
	awaited  map[uuid.UUID]struct{} // tasks that those come after
	deduped  map[string][]*record   // those of fresh that have a dedupe key, by that
	births   births
	forgets  []executor.Record // tasks with a dedupe key or a parent that it removes
	breaks   []int64
	newTypes []string
	evicted  int64
	held     bool        // what is to be removed next is kept for now
	first    int64       // breaks up to here are no longer needed
	expiry   schema.Time // when the oldest end is no longer kept; 0 is never
	flushed  []piece
	// permitted are the tasks for which it records a permit.
	permitted []*record
}

// writer is the connection, with the transaction begun.
func (t *transaction) writer() (*file.Conn, error) {
	if !t.begun {
		if err := t.conn.Run("BEGIN IMMEDIATE"); err != nil {
			return nil, err
		}
		t.begun = true
	}
	return t.conn, nil
}

// number gives out n event numbers. Before they run out, more are reserved.
func (t *transaction) number(n uint64) error {
	t.seq += n
	if int64(t.seq) <= t.state.Seq-reserve/2 {
		return nil
	}
	_, err := t.writer()
	t.state.Seq = int64(t.seq) + reserve
	return err
}

// commit ends the transaction: on nil all of it is on disk.
func (t *transaction) commit() error {
	if !t.begun {
		return nil
	}
	err := file.InsertTasks(t.conn, t.tasks)
	if errors.Is(err, sqlite3.CONSTRAINT) { // the index of the ids is damaged
		t.store.committer.state.Greatest = uuid.Max
	}
	if err == nil {
		err = file.InsertDone(t.conn, t.done)
	}
	if err != nil {
		return err
	}
	if err := t.writeSpans(); err != nil {
		return err
	}
	if err := t.open.Write(t.conn); err != nil {
		return err
	}
	t.state.Commits++
	if err := file.WriteState(t.conn, &t.state); err != nil {
		return err
	}
	return t.conn.Run("COMMIT")
}

// writeSpans keeps the tables typed, by which lists find the tasks of a type, and ended, by
// which ends are found in their order.
func (t *transaction) writeSpans() error {
	c := &t.store.committer
	err := writeRows(t.conn, c.typed, t.unusedTypes, len(t.tasks), func(i int) file.TypeSpan { return file.SpanOf(t.tasks[i].Type, t.tasks[i].Ord) })
	if err != nil {
		return err
	}
	return writeRows(t.conn, c.ended, t.unusedEnds, len(t.done), func(i int) file.EndSpan {
		return file.End{Ord: t.done[i].Ord, Seq: int64(t.done[i].Seq)}.Span()
	})
}

// spanRow is a row that is needed as long as there are tasks of its span.
type spanRow interface {
	comparable
	Add(*file.Conn) error
	RemoveUnused(*file.Conn) (removed bool, err error)
}

// writeRows adds the rows of n tasks, as far as they are not known to be there, and removes
// those that are unused.
func writeRows[R spanRow](c *file.Conn, known, unused map[R]struct{}, n int, of func(int) R) error {
	var latest R
	for i := range n {
		row := of(i)
		if i > 0 && row == latest {
			continue
		}
		latest = row
		if _, found := known[row]; found {
			continue
		}
		if err := row.Add(c); err != nil {
			return err
		}
		if len(known) == maxKnown {
			clear(known)
		}
		known[row] = struct{}{}
	}
	for row := range unused {
		removed, err := row.RemoveUnused(c)
		if err != nil {
			return err
		}
		if removed {
			delete(known, row)
		}
	}
	return nil
}

// maxKnown is how many rows of a table are known to be there.
const maxKnown = 256

// writeActive records the state of a task's attempt, and replaces the state recorded
// before. A task that is only queued has no such row.
func (t *transaction) writeActive(r *record, a file.Active) error {
	c, err := t.writer()
	if err != nil {
		return err
	}
	if a == (file.Active{}) {
		return t.removeActive(r.ord)
	}
	t.open.SetStarted(r.ord, true)
	t.d, err = file.WriteActive(c, t.d, r.ord, a)
	return err
}

func (t *transaction) removeActive(ord int64) error {
	if !t.open.Started(ord) {
		return nil
	}
	t.open.SetStarted(ord, false)
	return t.conn.Run("DELETE FROM active WHERE ord=?", ord)
}

// rollback takes all of it back.
func (t *transaction) rollback() {
	t.store.types.Drop(t.newTypes)
	if t.begun && !t.conn.GetAutocommit() {
		_ = t.conn.Run("ROLLBACK") // where that fails, too, the connection is closed
	}
}

// typeNumber is that of a type's name, which may be new.
func (t *transaction) typeNumber(name string) (int64, error) {
	if n, ok := t.store.types.Number(name); ok {
		return n, nil
	}
	err := t.conn.Run("INSERT OR IGNORE INTO type(name) VALUES(?)", name)
	if err != nil {
		return 0, err
	}
	n, err := t.conn.Number("SELECT type FROM type WHERE name=?", name)
	if err != nil {
		return 0, err
	}
	t.store.types.Add(name, n)
	t.newTypes = append(t.newTypes, name)
	return n, nil
}

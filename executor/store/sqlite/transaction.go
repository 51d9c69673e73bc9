package sqlite

import (
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

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
	// unused are rows of the table typed that may no longer be needed.
	unused map[file.TypeSpan]struct{}
	tasks  []file.TaskRow // that commit inserts
	done   []file.DoneRow // that commit inserts
	seq    uint64         // of the latest event
	d      file.Digest    // a buffer
	// fresh are the tasks that it records. breaks are the places of those before
	// which the clock was set back.
	fresh    map[uuid.UUID]*record
	breaks   []int64
	newTypes []string
	evicted  int64
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

// writeSpans keeps the table typed, by which lists find the tasks of a type.
func (t *transaction) writeSpans() error {
	known := t.store.committer.typed
	var latest file.TypeSpan
	for _, row := range t.tasks {
		s := file.SpanOf(row.Type, row.Ord)
		if s == latest {
			continue
		}
		latest = s
		if _, found := known[s]; found {
			continue
		}
		if err := s.Add(t.conn); err != nil {
			return err
		}
		if len(known) == maxTyped {
			clear(known)
		}
		known[s] = struct{}{}
	}
	for s := range t.unused {
		removed, err := s.RemoveUnused(t.conn)
		if err != nil {
			return err
		}
		if removed {
			delete(known, s)
		}
	}
	return nil
}

// maxTyped is how many rows of the table typed are known to be there.
const maxTyped = 256

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

package sqlite

import (
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/schema"
)

// state is the row of the table store.
type state struct {
	commits                      int64 // transactions so far
	ord                          int64 // of the latest task
	seq                          int64 // no event has a greater number
	removed                      int64 // the event of the latest end that was removed
	active                       int64
	completed, failed, cancelled int64
	bytes                        int64   // of the final ones, as retention counts
	created                      int64   // the latest since the clock was set back
	gone                         goneIDs // which are no part of the row
}

func (st *state) numbers() [10]int64 {
	return [...]int64{st.commits, st.ord, st.seq, st.removed, st.active, st.completed, st.failed, st.cancelled, st.bytes, st.created}
}

func (st *state) digest(d digest) digest {
	for _, n := range st.numbers() {
		d = d.number(n)
	}
	return d
}

// finals is how many tasks are final.
func (st *state) finals() int64 { return st.completed + st.failed + st.cancelled }

// ended counts n more tasks, or less, that ended so.
func (st *state) ended(how schema.State, n, bytes int64) {
	switch how {
	case schema.Completed:
		st.completed += n
	case schema.Failed:
		st.failed += n
	default:
		st.cancelled += n
	}
	st.bytes += bytes
}

func readState(c *conn) (st state, err error) {
	found := false
	err = c.query("SELECT commits, ord, seq, gone, active, completed, failed, cancelled, bytes, created, sum FROM store", func(row *sqlite3.Stmt) error {
		found = true
		for i, n := range []*int64{&st.commits, &st.ord, &st.seq, &st.removed, &st.active, &st.completed, &st.failed, &st.cancelled, &st.bytes, &st.created} {
			*n = row.ColumnInt64(i)
		}
		if st.digest(nil).sum() != row.ColumnInt64(10) {
			return errDamagedState
		}
		return nil
	})
	if err == nil && !found {
		err = errDamagedState
	}
	return st, err
}

var errDamagedState = errors.New("the table store, which counts the tasks, is damaged; jobline store check tells more")

func writeState(c *conn, st *state) error {
	args := make([]any, 0, 11)
	for _, n := range st.numbers() {
		args = append(args, n)
	}
	return c.exec("INSERT OR REPLACE INTO store VALUES(1,?,?,?,?,?,?,?,?,?,?,?)", append(args, st.digest(nil).sum())...)
}

// reserve is how many event numbers the file gives out at a time, so that a
// process never uses those again that one before it may have told a client.
const reserve = 1 << 24

// transaction is what the committer writes at once.
type transaction struct {
	store *Store
	conn  *conn
	state state // as it is when the transaction is on disk
	begun bool
	seq   uint64 // of the latest event
	d     digest // a buffer
	// fresh are the tasks that it records, and breaks those of them before
	// which the clock was set back.
	fresh    map[uuid.UUID]*record
	breaks   []int64
	newTypes []string
	evicted  int64
	first    int64       // breaks up to here are of no use any more
	expiry   schema.Time // when the oldest end is no longer kept; 0 is never
	flushed  []piece
}

// writer is the connection, with the transaction begun.
func (t *transaction) writer() (*conn, error) {
	if !t.begun {
		if err := t.conn.exec("BEGIN IMMEDIATE"); err != nil {
			return nil, err
		}
		t.begun = true
	}
	return t.conn, nil
}

// number gives out n event numbers. Before they run out, more are reserved.
func (t *transaction) number(n uint64) error {
	t.seq += n
	if int64(t.seq) <= t.state.seq-reserve/2 {
		return nil
	}
	_, err := t.writer()
	t.state.seq = int64(t.seq) + reserve
	return err
}

// commit ends the transaction: on nil all of it is on disk.
func (t *transaction) commit() error {
	if !t.begun {
		return nil
	}
	t.state.commits++
	if err := writeState(t.conn, &t.state); err != nil {
		return err
	}
	return t.conn.exec("COMMIT")
}

// rollback takes all of it back.
func (t *transaction) rollback() {
	t.store.types.drop(t.newTypes)
	if t.begun && !t.conn.GetAutocommit() {
		_ = t.conn.exec("ROLLBACK") // where that fails, too, the connection is closed
	}
}

// typeNumber is that of a type's name, which may be new.
func (t *transaction) typeNumber(name string) (int64, error) {
	if n, ok := t.store.types.number(name); ok {
		return n, nil
	}
	err := t.conn.exec("INSERT OR IGNORE INTO type(name) VALUES(?)", name)
	if err != nil {
		return 0, err
	}
	n, err := t.conn.number("SELECT type FROM type WHERE name=?", name)
	if err != nil {
		return 0, err
	}
	t.store.types.add(name, n)
	t.newTypes = append(t.newTypes, name)
	return n, nil
}

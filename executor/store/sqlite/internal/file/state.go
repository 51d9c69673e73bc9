package file

import (
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/schema"
)

// ClockSlack is how far, in microseconds, creation times may be out of the order of
// the tasks. Concurrent submits get their time first and their place in the log
// later. A larger step back means that the clock was set back.
const ClockSlack = 20_000

// State is the first row of the table store.
type State struct {
	Commits           int64 // transactions so far
	Ord               int64 // of the latest task
	Seq               int64 // no event has a greater number
	Removed           int64 // the event of the latest end that was removed
	Active            int64
	schema.TaskCounts       // of those that are final
	Bytes             int64 // of the final ones, as retention counts
	Created           int64 // the latest since the clock was set back

	// These are no part of the row.
	Forgotten ForgottenIDs
	Greatest  uuid.UUID // no task of the file has a greater id
}

func (st *State) numbers() [10]int64 {
	return [...]int64{st.Commits, st.Ord, st.Seq, st.Removed, st.Active, st.Completed, st.Failed, st.Cancelled, st.Bytes, st.Created}
}

func (st *State) digest(d Digest) Digest {
	for _, n := range st.numbers() {
		d = d.number(n)
	}
	return d
}

// Finals is how many tasks are final.
func (st *State) Finals() int64 { return st.Completed + st.Failed + st.Cancelled }

// Ended counts n more tasks, or less, that ended so.
func (st *State) Ended(how schema.State, n, bytes int64) {
	*st.Of(how) += n
	st.Bytes += bytes
}

// ReadState reads the row of the table store, without State.Forgotten.
func ReadState(c *Conn) (st State, err error) {
	found := false
	err = c.Query("SELECT commits, ord, seq, gone, active, completed, failed, cancelled, bytes, created, sum FROM store WHERE one=1", func(row *sqlite3.Stmt) error {
		found = true
		for i, n := range []*int64{&st.Commits, &st.Ord, &st.Seq, &st.Removed, &st.Active, &st.Completed, &st.Failed, &st.Cancelled, &st.Bytes, &st.Created} {
			*n = row.ColumnInt64(i)
		}
		if st.digest(nil).Sum() != row.ColumnInt64(10) {
			return errDamagedState
		}
		return nil
	})
	if err == nil && !found {
		err = errDamagedState
	}
	return st, err
}

// ReadGreatest is the greatest id of a task.
func ReadGreatest(c *Conn) (id uuid.UUID, err error) {
	err = c.Query("SELECT max(id) FROM task", func(row *sqlite3.Stmt) error {
		copy(id[:], row.ColumnRawBlob(0))
		return nil
	})
	return id, err
}

var errDamagedState = errors.New("the table store, which counts the tasks, is damaged; jobline store check tells more")

const (
	stateColumns = "one, commits, ord, seq, gone, active, completed, failed, cancelled, bytes, created, sum"
	writeState   = "INSERT OR REPLACE INTO store(" + stateColumns + ") VALUES(1,?,?,?,?,?,?,?,?,?,?,?)"
)

// WriteState writes the first row of the table store.
func WriteState(c *Conn, st *State) error {
	args := make([]any, 0, 11)
	for _, n := range st.numbers() {
		args = append(args, n)
	}
	return c.Run(writeState, append(args, st.digest(nil).Sum())...)
}

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
	Commits           int64 // how many transactions there were
	Ord               int64 // the number of the latest task
	Seq               int64 // the greatest reserved event number
	Removed           int64 // the event number of the latest end that retention has removed
	Active            int64 // how many tasks are not final
	schema.TaskCounts       // of final tasks
	Bytes             int64 // the size of final tasks, as retention counts it
	Created           int64 // the latest creation time since the clock was set back

	// The rest is not in the row.

	Forgotten ForgottenIDs
	Greatest  uuid.UUID // the greatest id of a task
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

// Finals is the number of final tasks.
func (st *State) Finals() int64 { return st.Completed + st.Failed + st.Cancelled }

// Ended adds n tasks that ended in a state, and their bytes. Both are negative for tasks that are removed.
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

// ReadGreatest reads the greatest id of a task.
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

package file

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// ErrHistory is why a task cannot be read whose earlier attempts cannot.
var ErrHistory = fmt.Errorf("%w: the earlier attempts of a task cannot be read", executor.ErrDamaged)

// WriteHistory records the history of a task in place of an earlier one. A nil is none.
func WriteHistory(c *Conn, ord int64, h *executor.History) error {
	if h == nil {
		return RemoveHistory(c, ord)
	}
	text, err := json.Marshal(h, lenient)
	if err != nil {
		return err
	}
	return c.Run("INSERT OR REPLACE INTO retry VALUES(?,?,?)", ord, string(text), historyDigest(ord, text).Sum())
}

func historyDigest(ord int64, text []byte) Digest { return Digest(nil).number(ord).bytes(text) }

// RemoveHistory removes the history of a task, if there is one.
func RemoveHistory(c *Conn, ord int64) error { return c.Run("DELETE FROM retry WHERE ord=?", ord) }

// ReadHistory reads the history of a task, or answers nil where there is none.
func ReadHistory(c *Conn, ord int64) (h *executor.History, err error) {
	err = c.Query("SELECT history, sum FROM retry WHERE ord=?", func(row *sqlite3.Stmt) (err error) {
		h, err = historyOf(row, ord, 0)
		return err
	}, ord)
	return h, err
}

func historyOf(row *sqlite3.Stmt, ord int64, at int) (*executor.History, error) {
	text := row.ColumnRawText(at)
	damage := fmt.Errorf("%w, number %d: the checksum of its row in the table retry is wrong; jobline store check tells more", ErrHistory, ord)
	if historyDigest(ord, text).Sum() != row.ColumnInt64(at+1) {
		return nil, damage
	}
	h := new(executor.History)
	if err := json.Unmarshal(text, h, lenient); err != nil {
		return nil, fmt.Errorf("%w: %w", damage, err)
	}
	return h, nil
}

// LostHistory is the error of a task whose history must be there and is not.
func LostHistory(ord int64) error {
	return fmt.Errorf("%w, number %d: it has no row in the table retry; jobline store check tells more", ErrHistory, ord)
}

// EachHistory calls f for each task that has a row in the table retry, with why it cannot be
// read or nil.
func EachHistory(c *Conn, f func(ord int64, err error) error) error {
	return c.Query("SELECT retry.ord, history, retry.sum FROM retry JOIN task USING(ord)", func(row *sqlite3.Stmt) error {
		_, err := historyOf(row, row.ColumnInt64(0), 1)
		return f(row.ColumnInt64(0), err)
	})
}

// HasHistory reports whether a final task may have a history. It needs a query only then.
func HasHistory(t *schema.Task) bool {
	return t.Attempt > 1 || t.Attempt == 1 && t.StartedAt.IsZero()
}

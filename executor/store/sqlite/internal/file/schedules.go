package file

import (
	"bytes"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
)

// WriteSchedule records the text of a schedule, or removes it where that is nil.
func WriteSchedule(c *Conn, name string, text []byte) error {
	if text == nil {
		return c.Run("DELETE FROM schedule WHERE name=?", name)
	}
	return c.Run("INSERT OR REPLACE INTO schedule VALUES(?,?,?)", name, string(text), scheduleDigest(name, text).Sum())
}

func scheduleDigest(name string, text []byte) Digest { return Digest(nil).text(name).bytes(text) }

// ReadSchedules calls f with each schedule, or with an error that wraps executor.ErrDamaged where
// it cannot be read.
func ReadSchedules(c *Conn, f func(name string, text []byte, err error)) error {
	return c.Query("SELECT name, schedule, sum FROM schedule ORDER BY name", func(row *sqlite3.Stmt) error {
		name, text := row.ColumnText(0), bytes.Clone(row.ColumnRawText(1))
		var err error
		if scheduleDigest(name, text).Sum() != row.ColumnInt64(2) {
			err = fmt.Errorf("%w: the row of the schedule %q in the table schedule is not what was written", executor.ErrDamaged, name)
		}
		f(name, text, err)
		return nil
	})
}

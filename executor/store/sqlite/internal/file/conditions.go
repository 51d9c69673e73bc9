package file

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// conditioned is in the column rerun of a task that has a row in the table condition.
const conditioned = 2

// ErrConditions is why a task cannot be read whose conditions cannot.
var ErrConditions = fmt.Errorf("%w: the conditions of a task cannot be read", executor.ErrDamaged)

// insertConditions records the conditions of new tasks.
func insertConditions(c *Conn, rows []TaskRow) error {
	for i := range rows {
		conditions := rows[i].Record.Conditions
		if conditions == nil {
			continue
		}
		text, err := json.Marshal(conditions, lenient)
		if err != nil {
			return err
		}
		sum := conditionDigest(rows[i].Ord, text).Sum()
		if err := c.Run("INSERT INTO condition VALUES(?,?,?)", rows[i].Ord, string(text), sum); err != nil {
			return err
		}
	}
	return nil
}

// MemberText is a part of the text of all conditions in which a member has a value. It can be a part
// of others, too.
func MemberText(member, value string) (string, error) {
	text, err := json.Marshal(value, lenient)
	return `"` + member + `":` + string(text), err
}

func conditionDigest(ord int64, text []byte) Digest { return Digest(nil).number(ord).bytes(text) }

// conditionsOf reads the conditions of a task that has them.
func conditionsOf(c *Conn, ord int64) (conditions *schema.Conditions, err error) {
	err = c.Query("SELECT conditions, sum FROM condition WHERE ord=?", func(row *sqlite3.Stmt) error {
		text := row.ColumnRawText(0)
		if conditionDigest(ord, text).Sum() != row.ColumnInt64(1) {
			return damagedConditions(ord)
		}
		conditions = new(schema.Conditions)
		if err := json.Unmarshal(text, conditions, lenient); err != nil {
			return fmt.Errorf("%w: %w", damagedConditions(ord), err)
		}
		return nil
	}, ord)
	if err == nil && conditions == nil {
		err = damagedConditions(ord)
	}
	return conditions, err
}

func damagedConditions(ord int64) error {
	return fmt.Errorf("%w, number %d: the checksum of its row in the table condition is wrong, or there is none; jobline store check tells more", ErrConditions, ord)
}

// EachStart calls f with the group and the time of the last start of each final task that names
// a group and began after a time. It leaves out conditions that cannot be read.
func EachStart(c *Conn, after schema.Time, f func(group string, began schema.Time)) error {
	const sql = "SELECT ord, conditions, condition.sum, created+started FROM condition JOIN done USING(ord) JOIN task USING(ord) WHERE created+started>?"
	return c.Query(sql, func(row *sqlite3.Stmt) error {
		text := row.ColumnRawText(1)
		var conditions schema.Conditions
		intact := conditionDigest(row.ColumnInt64(0), text).Sum() == row.ColumnInt64(2)
		if intact && json.Unmarshal(text, &conditions, lenient) == nil && conditions.Group != "" {
			f(conditions.Group, schema.Time(row.ColumnInt64(3)))
		}
		return nil
	}, int64(after))
}

// EachDeduped calls f with each completed task that has a dedupe key, and with the time of its
// end. It leaves out conditions that cannot be read. Whether the task can be, is found out by who
// reads it.
func EachDeduped(c *Conn, f func(id uuid.UUID, conditions *schema.Conditions, ended schema.Time)) error {
	const sql = "SELECT ord, conditions, condition.sum, id, max(created, created+ifnull(done.started,0))+finished" +
		" FROM condition JOIN done USING(ord) JOIN task USING(ord) WHERE instr(conditions, '\"dedupe\":')>0 AND state=? ORDER BY seq"
	return c.Query(sql, func(row *sqlite3.Stmt) error {
		text := row.ColumnRawText(1)
		conditions := new(schema.Conditions)
		intact := conditionDigest(row.ColumnInt64(0), text).Sum() == row.ColumnInt64(2)
		id, err := uuid.FromBytes(row.ColumnRawBlob(3))
		if intact && err == nil && json.Unmarshal(text, conditions, lenient) == nil {
			f(id, conditions, schema.Time(row.ColumnInt64(4)))
		}
		return nil
	}, int64(schema.Completed))
}

// ChildRow is a task that is a part of another one.
type ChildRow struct {
	Ord        int64
	ID         uuid.UUID
	State      schema.State // Queued where the task has not ended
	Conditions *schema.Conditions
}

// EachChild calls f with each task that is a part of another one, in their order. It leaves out
// conditions that cannot be read.
func EachChild(c *Conn, f func(ChildRow)) error {
	const sql = "SELECT ord, conditions, condition.sum, id, ifnull(state, ?)" +
		" FROM condition JOIN task USING(ord) LEFT JOIN done USING(ord) WHERE instr(conditions, '\"parent\":')>0 ORDER BY ord"
	return c.Query(sql, func(row *sqlite3.Stmt) error {
		text := row.ColumnRawText(1)
		r := ChildRow{Ord: row.ColumnInt64(0), State: schema.State(row.ColumnInt64(4)), Conditions: new(schema.Conditions)}
		intact := conditionDigest(r.Ord, text).Sum() == row.ColumnInt64(2)
		var err error
		r.ID, err = uuid.FromBytes(row.ColumnRawBlob(3))
		if intact && err == nil && json.Unmarshal(text, r.Conditions, lenient) == nil {
			f(r)
		}
		return nil
	}, int64(schema.Queued))
}

// EachUnusedCondition calls f with the number of each task that has a row in the table condition
// and no conditions.
func EachUnusedCondition(c *Conn, f func(ord int64) error) error {
	return c.Query("SELECT ord FROM condition JOIN task USING(ord) WHERE rerun<2", func(row *sqlite3.Stmt) error { return f(row.ColumnInt64(0)) })
}

// RemoveConditions removes the conditions of a task.
func RemoveConditions(c *Conn, ord int64) error {
	return c.Run("DELETE FROM condition WHERE ord=?", ord)
}

// groupRow is what a row has of the settings of a group. It has numbers of its own: JSON knows
// no time.Duration.
type groupRow struct {
	Limit     int    `json:"limit,omitzero"`
	Paused    bool   `json:"paused,omitzero"`
	RateCount int    `json:"rateCount,omitzero"`
	RatePerNs int64  `json:"ratePerNs,omitzero"`
	Defaults  string `json:"defaults,omitzero"`
}

func (r *groupRow) settings() plan.Settings {
	return plan.Settings{Limit: r.Limit, Paused: r.Paused, Rate: plan.Rate{Count: r.RateCount, Per: time.Duration(r.RatePerNs)}, Defaults: r.Defaults}
}

// WriteGroup records the settings of a group, or removes them where they are the zero value.
// The name "" is everything, of which only Paused is used.
func WriteGroup(c *Conn, name string, settings plan.Settings) error {
	if settings == (plan.Settings{}) {
		return c.Run("DELETE FROM groups WHERE name=?", name)
	}
	text, err := json.Marshal(groupRow{settings.Limit, settings.Paused, settings.Rate.Count, int64(settings.Rate.Per), settings.Defaults}, lenient)
	if err != nil {
		return err
	}
	return c.Run("INSERT OR REPLACE INTO groups VALUES(?,?,?)", name, string(text), groupDigest(name, text).Sum())
}

func groupDigest(name string, text []byte) Digest { return Digest(nil).text(name).bytes(text) }

// ReadGroups calls f with the settings of each group, or with an error that wraps
// executor.ErrDamaged where they cannot be read.
func ReadGroups(c *Conn, f func(name string, settings plan.Settings, err error)) error {
	return c.Query("SELECT name, settings, sum FROM groups ORDER BY name", func(row *sqlite3.Stmt) error {
		name, text := row.ColumnText(0), row.ColumnRawText(1)
		var stored groupRow
		var err error
		if groupDigest(name, text).Sum() != row.ColumnInt64(2) || json.Unmarshal(text, &stored, lenient) != nil {
			err = fmt.Errorf("%w: the row of the group %q in the table groups is not what was written", executor.ErrDamaged, name)
		}
		f(name, stored.settings(), err)
		return nil
	})
}

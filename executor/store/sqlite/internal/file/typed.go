package file

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// TypeSpan is a row of the table typed: it says that there are tasks of a type among the
// typedSpan tasks from number typedSpan*Span on.
type TypeSpan struct{ Type, Span int64 }

const typedSpan = 16

// SpanOf is the row of the table typed by which a list finds a task.
func SpanOf(typ, ord int64) TypeSpan { return TypeSpan{typ, ord / typedSpan} }

// Add records the row, which may be there already.
func (s TypeSpan) Add(c *Conn) error {
	return c.Run("INSERT OR IGNORE INTO typed VALUES(?,?)", s.Type, s.Span)
}

// RemoveUnused removes the row where no task needs it any more, and reports whether it did.
func (s TypeSpan) RemoveUnused(c *Conn) (removed bool, err error) {
	used, err := c.Number("SELECT EXISTS(SELECT 1 FROM task WHERE ord>=? AND ord<? AND type=?)", s.Span*typedSpan, (s.Span+1)*typedSpan, s.Type)
	if err != nil || used == 1 {
		return false, err
	}
	return true, c.Run("DELETE FROM typed WHERE type=? AND span=?", s.Type, s.Span)
}

// SelectOfSpans selects the numbers of tasks of some types from spans, whose numbers are in an
// array of JSON. It ends in a condition.
func SelectOfSpans(spans string, types []int64) string {
	texts := make([]string, len(types))
	for i, typ := range types {
		texts[i] = strconv.FormatInt(typ, 10)
	}
	return fmt.Sprintf("SELECT ord FROM json_each(%s) AS span CROSS JOIN task ON ord>=span.value*%d AND ord<=span.value*%[2]d+%d WHERE task.type IN (%s)",
		spans, typedSpan, typedSpan-1, strings.Join(texts, ","))
}

// Spans is how many spans may be needed for so many tasks of one type, where nearly all tasks are of it.
func Spans(tasks int64) int { return int(tasks/typedSpan) + 2 }

// SpansOf returns the first spans from task number first to last that have tasks of one of the
// types, or the last ones, in falling order: at most most of them.
func SpansOf(c *Conn, types []int64, first, last int64, newest bool, most int) (spans []int64, err error) {
	order := ""
	if newest {
		order = " DESC"
	}
	arms := make([]string, len(types))
	for i, typ := range types {
		arms[i] = fmt.Sprintf("SELECT span FROM typed WHERE type=%d AND span>=?1 AND span<=?2", typ)
	}
	err = c.Query(strings.Join(arms, " UNION ")+" ORDER BY span"+order+" LIMIT ?3", func(row *sqlite3.Stmt) error {
		spans = append(spans, row.ColumnInt64(0))
		return nil
	}, first/typedSpan, last/typedSpan, int64(most))
	return spans, err
}

// BoundsOfSpan are the numbers of the first and the last task of a span.
func BoundsOfSpan(span int64) (first, last int64) {
	return span * typedSpan, span*typedSpan + typedSpan - 1
}

// EachUntyped calls f with the number of each task that no list finds by its type.
func EachUntyped(c *Conn, f func(ord int64) error) error {
	sql := fmt.Sprintf("SELECT ord FROM task WHERE NOT EXISTS(SELECT 1 FROM typed WHERE typed.type=task.type AND span=ord/%d)", typedSpan)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(row.ColumnInt64(0)) })
}

// EachUnusedSpan calls f with each row of the table typed that no task needs.
func EachUnusedSpan(c *Conn, f func(TypeSpan) error) error {
	sql := fmt.Sprintf("SELECT type, span FROM typed WHERE NOT EXISTS(SELECT 1 FROM task WHERE ord>=span*%d AND ord<span*%[1]d+%[1]d AND task.type=typed.type)", typedSpan)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(TypeSpan{row.ColumnInt64(0), row.ColumnInt64(1)}) })
}

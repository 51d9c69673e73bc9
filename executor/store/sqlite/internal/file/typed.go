package file

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// TypeSpan is a row of the table typed, the index by which lists find the tasks of a type. Tasks
// are divided by their numbers into spans of typedSpan. A row says that a span has tasks of a type.
type TypeSpan struct{ Type, Span int64 }

const typedSpan = 16

// SpanOf is the row for a task of a type.
func SpanOf(typ, ord int64) TypeSpan { return TypeSpan{typ, ord / typedSpan} }

// Add inserts the row. It may be there already.
func (s TypeSpan) Add(c *Conn) error {
	return c.Run("INSERT OR IGNORE INTO typed VALUES(?,?)", s.Type, s.Span)
}

// RemoveUnused removes the row if the span has no task of the type any more. It reports whether it did.
func (s TypeSpan) RemoveUnused(c *Conn) (removed bool, err error) {
	used, err := c.Number("SELECT EXISTS(SELECT 1 FROM task WHERE ord>=? AND ord<? AND type=?)", s.Span*typedSpan, (s.Span+1)*typedSpan, s.Type)
	if err != nil || used == 1 {
		return false, err
	}
	return true, c.Run("DELETE FROM typed WHERE type=? AND span=?", s.Type, s.Span)
}

// SelectOfSpans is a SELECT of the numbers of the tasks in some spans that have one of some types.
// spans is an SQL expression for a JSON array of span numbers. The text ends within a WHERE
// clause, so that AND may follow.
func SelectOfSpans(spans string, types []int64) string {
	texts := make([]string, len(types))
	for i, typ := range types {
		texts[i] = strconv.FormatInt(typ, 10)
	}
	return fmt.Sprintf("SELECT ord FROM json_each(%s) AS span CROSS JOIN task ON ord>=span.value*%d AND ord<=span.value*%[2]d+%d WHERE task.type IN (%s)",
		spans, typedSpan, typedSpan-1, strings.Join(texts, ","))
}

// Spans is about how many spans have so many tasks of a type, if nearly all tasks are of that type.
func Spans(tasks int64) int { return int(tasks/typedSpan) + 2 }

// SpansOf returns at most most spans, among those of the tasks first to last, that have tasks of one
// of the types. They are in rising order, or if newest is set in falling order.
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

// EachUntyped calls f with the number of each task whose row is missing in the table typed.
func EachUntyped(c *Conn, f func(ord int64) error) error {
	sql := fmt.Sprintf("SELECT ord FROM task WHERE NOT EXISTS(SELECT 1 FROM typed WHERE typed.type=task.type AND span=ord/%d)", typedSpan)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(row.ColumnInt64(0)) })
}

// EachUnusedSpan calls f with each row of the table typed whose span has no task of the type.
func EachUnusedSpan(c *Conn, f func(TypeSpan) error) error {
	sql := fmt.Sprintf("SELECT type, span FROM typed WHERE NOT EXISTS(SELECT 1 FROM task WHERE ord>=span*%d AND ord<span*%[1]d+%[1]d AND task.type=typed.type)", typedSpan)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(TypeSpan{row.ColumnInt64(0), row.ColumnInt64(1)}) })
}

package file

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// How many event numbers and how many tasks a row of the table ended is of.
const (
	endedSeqs = 512
	endedOrds = 64
)

// EndSpan is a row of the table ended: it says that among the endedOrds tasks from number
// endedOrds*Ords on there are some whose ends have one of the endedSeqs event numbers from
// endedSeqs*Seqs on.
type EndSpan struct{ Seqs, Ords int64 }

// End is the event number of the end of a task.
type End struct{ Ord, Seq int64 }

// Span is the row of the table ended by which the end is found.
func (e End) Span() EndSpan { return EndSpan{e.Seq / endedSeqs, e.Ord / endedOrds} }

// Add records the row, which may be there already.
func (s EndSpan) Add(c *Conn) error {
	return c.Run("INSERT OR IGNORE INTO ended VALUES(?,?)", s.Seqs, s.Ords)
}

// RemoveUnused removes the row where no end needs it any more, and reports whether it did.
func (s EndSpan) RemoveUnused(c *Conn) (removed bool, err error) {
	used, err := c.Number("SELECT EXISTS(SELECT 1 FROM done WHERE ord>=? AND ord<? AND seq>=? AND seq<?)",
		s.Ords*endedOrds, (s.Ords+1)*endedOrds, s.Seqs*endedSeqs, (s.Seqs+1)*endedSeqs)
	if err != nil || used == 1 {
		return false, err
	}
	return true, c.Run("DELETE FROM ended WHERE seqs=? AND ords=?", s.Seqs, s.Ords)
}

// SelectEnds selects the ends of a span of event numbers, after one number and through
// another, in their order.
var SelectEnds = fmt.Sprintf("SELECT done.ord, done.seq FROM ended CROSS JOIN done ON done.ord>=ords*%d AND done.ord<=ords*%[1]d+%d"+
	" WHERE seqs=?1 AND seq>=?1*%d AND seq<?1*%[3]d+%[3]d AND seq>?2 AND seq<=?3 ORDER BY seq", endedOrds, endedOrds-1, endedSeqs)

// EachEnd calls f with each end whose event number is above after and at most through, in the
// order of these numbers, until f returns an error. It has no query under way meanwhile.
func EachEnd(c *Conn, after, through int64, f func(End) error) error {
	last := through / endedSeqs
	for from := after / endedSeqs; from <= last; {
		seqs, err := c.Number("SELECT coalesce(min(seqs), -1) FROM ended WHERE seqs>=? AND seqs<=?", from, last)
		if err != nil || seqs < 0 {
			return err
		}
		var ends []End
		err = c.Query(SelectEnds, func(row *sqlite3.Stmt) error {
			ends = append(ends, End{row.ColumnInt64(0), row.ColumnInt64(1)})
			return nil
		}, seqs, after, through)
		for i := 0; i < len(ends) && err == nil; i++ {
			err = f(ends[i])
		}
		if err != nil {
			return err
		}
		from = seqs + 1
	}
	return nil
}

// EachEndNotFound calls f with the number of each task whose end is not found by its event
// number.
func EachEndNotFound(c *Conn, f func(ord int64) error) error {
	sql := fmt.Sprintf("SELECT ord FROM done WHERE NOT EXISTS(SELECT 1 FROM ended WHERE seqs=seq/%d AND ords=ord/%d)", endedSeqs, endedOrds)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(row.ColumnInt64(0)) })
}

// EachUnusedEndSpan calls f with each row of the table ended that no end needs.
func EachUnusedEndSpan(c *Conn, f func(EndSpan) error) error {
	sql := fmt.Sprintf("SELECT seqs, ords FROM ended WHERE NOT EXISTS(SELECT 1 FROM done WHERE"+
		" ord>=ords*%d AND ord<ords*%[1]d+%[1]d AND seq>=seqs*%d AND seq<seqs*%[2]d+%[2]d)", endedOrds, endedSeqs)
	return c.Query(sql, func(row *sqlite3.Stmt) error { return f(EndSpan{row.ColumnInt64(0), row.ColumnInt64(1)}) })
}

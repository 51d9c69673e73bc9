package sqlite

import (
	"strings"

	"github.com/google/uuid"
)

// idScan is the most tasks that a page looks at which selects by a part of an id. No
// index helps to find the end of an id.
const idScan = 20_000

// byID makes the query of the tasks that the filter selects by their ids. It may find
// others, too, where the text has hyphens: the filter leaves them out.
func (l *listing) byID() (sql string, arg any, err error) {
	text := l.filter.ID
	if id, err := uuid.Parse(text); err == nil && len(text) == len(id.String()) {
		return "SELECT ord FROM task WHERE id=?4", id[:], nil
	}
	digits := strings.ToUpper(strings.ReplaceAll(text, "-", ""))
	return "SELECT ord FROM task WHERE (substr(hex(id),1,length(?4))=?4 OR substr(hex(id),-length(?4))=?4" +
		" OR substr(hex(id),-8,length(?4))=?4)", digits, l.boundByScan()
}

// boundByScan narrows the range of tasks to the next idScan that there may be.
func (l *listing) boundByScan() error {
	first, err := l.conn.Number("SELECT coalesce(min(ord),0) FROM task WHERE ord>=?", l.first)
	if err != nil {
		return err
	}
	last, err := l.conn.Number("SELECT coalesce(max(ord),0) FROM task WHERE ord<=?", l.last)
	if err != nil {
		return err
	}
	l.first, l.last = max(l.first, first), min(l.last, last)
	switch {
	case l.last-l.first < idScan:
	case l.page.Oldest:
		l.last = l.first + idScan - 1
		l.edgeOfPage = l.last
	default:
		l.first = l.last - idScan + 1
		l.edgeOfPage = l.first
	}
	return nil
}

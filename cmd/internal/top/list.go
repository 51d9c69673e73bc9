package top

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// pane is a part of the screen that has keys of its own.
type pane int

const (
	paneRunning pane = iota
	paneQueued
	paneEnded
	paneDetail
)

const listPanes = 3 // the panes before paneDetail

// order is a way to sort a list.
type order struct {
	name    string
	compare func(a, b *item) int // nil leaves the list as it came
}

// orders are those of each list, the usual one first.
var orders = [listPanes][]order{
	paneRunning: {
		{"longest first", func(a, b *item) int { return cmp.Compare(a.StartedAt, b.StartedAt) }},
		{"newest first", func(a, b *item) int { return cmp.Compare(b.StartedAt, a.StartedAt) }},
		{"furthest first", func(a, b *item) int { return cmp.Compare(done(b), done(a)) }},
		{"by type", byType},
	},
	paneQueued: {
		{"in the order of the queue", nil},
		{"newest first", func(a, b *item) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) }},
		{"by type", byType},
	},
	paneEnded: {
		{"latest first", nil},
		{"failed first", func(a, b *item) int { return cmp.Compare(severity(b.State), severity(a.State)) }},
		{"longest first", func(a, b *item) int { return cmp.Compare(ranFor(b), ranFor(a)) }},
		{"by type", byType},
	},
}

func byType(a, b *item) int { return cmp.Compare(a.Type, b.Type) }

// severity is how much a state deserves a look.
func severity(s schema.State) int {
	switch s {
	case schema.Failed:
		return 2
	case schema.Cancelled:
		return 1
	}
	return 0
}

// ranFor is how long a task that has ended has run.
func ranFor(it *item) time.Duration {
	if it.StartedAt.IsZero() {
		return 0
	}
	return it.FinishedAt.Time().Sub(it.StartedAt.Time())
}

// done is how much of a task is done, or less than 0 where that is not known.
func done(it *item) float64 {
	if it.Progress != nil {
		if share, known := show.Share(*it.Progress); known {
			return share
		}
	}
	return -1
}

// list is a list on the screen, with its cursor.
type list struct {
	items  []*item
	of     int // how many there are without the filter
	wanted int // how many the filter wants
	order  int
	cursor int
	held   uuid.UUID // the task that the cursor stays on; the nil UUID where it stays on the first row
	top    int       // the first row that is shown
}

// set shows other tasks, with what withParts puts below them, and leaves the cursor on its task.
func (l *list) set(items []*item, f filter, orders []order, withParts func([]*item) []*item) {
	l.of = len(items)
	l.items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !f.matches(it) })
	if compare := orders[l.order].compare; compare != nil {
		slices.SortStableFunc(l.items, compare)
	}
	l.wanted, l.items = len(l.items), withParts(l.items)
	if l.held == uuid.Nil {
		l.cursor = 0
	} else if i := slices.IndexFunc(l.items, func(it *item) bool { return it.ID == l.held }); i >= 0 {
		l.cursor = i
	}
	l.cursor = l.besideNotes(l.cursor, -1)
}

// besideNotes is the row at a place, or the next one in a direction that is no note. The first row
// is none.
func (l *list) besideNotes(at, step int) int {
	at = max(0, min(at, len(l.items)-1))
	for at > 0 && l.items[at].note != "" {
		if at += step; at == len(l.items) {
			at, step = at-1, -1
		}
	}
	return at
}

// move moves the cursor. On the first row it stays there, whatever comes.
func (l *list) move(to int) {
	step := -1
	if to > l.cursor {
		step = 1
	}
	l.cursor, l.held = l.besideNotes(to, step), uuid.Nil
	if l.cursor > 0 {
		l.held = l.items[l.cursor].ID
	}
}

// selected is the task of the cursor, or nil.
func (l *list) selected() *item {
	if l.cursor >= len(l.items) {
		return nil
	}
	return l.items[l.cursor]
}

// scroll makes the row of the cursor one of those that are shown.
func (l *list) scroll(rows int) {
	l.top = max(0, min(l.top, len(l.items)-rows))
	l.top = min(max(l.top, l.cursor-rows+1), l.cursor)
}

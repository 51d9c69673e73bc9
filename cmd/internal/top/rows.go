package top

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// cell is a part of a row.
type cell struct {
	text  string
	style style
	rest  string // in the style of what is left of a bar
}

// column is a column of a list.
type column struct {
	title string
	wide  int  // its width; 0 takes what the others leave
	right bool // it stands at the right
	from  int  // the width of the screen from which on it is shown
	cell  func(m *model, it *item, wide int) cell
}

// columns are those of a list on a screen of a width, or of a part below a task of it.
func columns(p pane, width int, part bool) []column {
	typeColumns, barColumns := 9, 10
	if width >= 100 {
		typeColumns, barColumns = 14, 16
	}
	if width >= 160 {
		typeColumns, barColumns = 18, 28
	}
	plain := func(text func(*item) string) func(*model, *item, int) cell {
		return func(_ *model, it *item, _ int) cell { return cell{text: text(it)} }
	}
	first := []column{
		{"", 8, false, 0, func(m *model, it *item, _ int) cell { return cell{text: show.ShortID(it.ID), style: m.look.dim} }},
		{"", typeColumns, false, 0, typeCell},
	}
	last := []column{
		{"TASK", 0, false, 0, func(m *model, it *item, _ int) cell { return cell{text: m.doing(it)} }},
		{"OWNER", 12, false, 100, func(m *model, it *item, _ int) cell {
			return cell{text: show.Line(it.Labels[show.OwnerLabel]), style: m.look.dim}
		}},
		{"LABELS", 30, false, 160, func(m *model, it *item, _ int) cell {
			return cell{text: show.Line(show.Labels(it.Labels)), style: m.look.dim}
		}},
	}
	middle := [listPanes][]column{
		paneRunning: {
			{"DONE", barColumns, false, 0, progressCell},
			{"%", 4, true, 0, percentCell},
			{"TIME", 6, true, 0, func(m *model, it *item, _ int) cell { return cell{text: show.Ran(&it.Task, m.snap.at)} }},
			{"LEFT", 6, true, 0, func(m *model, it *item, _ int) cell { return cell{text: leftText(it, m.snap.at), style: m.look.dim} }},
		},
		paneQueued: {
			{"PRIORITY", 8, true, 0, plain(func(it *item) string { return fmt.Sprint(it.Priority) })},
			{"WAITS", 6, true, 0, func(m *model, it *item, _ int) cell {
				return cell{text: show.Span(m.snap.at.Sub(it.CreatedAt.Time()))}
			}},
		},
		paneEnded: {
			{"STATE", len("failed dependency"), false, 0, stateCell},
			{"AGO", 4, true, 0, func(m *model, it *item, _ int) cell { return cell{text: show.Age(it.FinishedAt, m.snap.at)} }},
			{"TOOK", 6, true, 0, func(m *model, it *item, _ int) cell { return cell{text: show.Ran(&it.Task, m.snap.at)} }},
		},
	}[p]
	if part {
		middle = partColumns(middle)
	}
	var all []column
	rest := width - 1 // the mark of the cursor
	for _, part := range [][]column{first, middle, last} {
		for _, c := range part {
			if width >= c.from {
				all = append(all, c)
				rest -= c.wide + 1
			}
		}
	}
	for i := range all {
		if all[i].wide == 0 {
			all[i].wide = max(0, rest)
		}
	}
	return all
}

// doing is what a task does. Before that is what it waits for, and behind that while it runs
// what it has said last.
func (m *model) doing(it *item) string {
	text := it.work
	switch {
	case m.waitsFor(it) != "":
		text = strings.TrimSuffix(show.Line(m.waitsFor(it))+" › "+text, " › ")
	case it.State == schema.Failed && it.Error != nil && text == "":
		text = show.Line(it.Error.Message)
	case it.State == schema.Running && it.Progress != nil && it.Progress.Message != "":
		text = strings.TrimPrefix(text+": "+show.Line(it.Progress.Message), ": ")
	}
	return text
}

// waitsFor says in a few words what a queued task waits for, but for its turn.
func (m *model) waitsFor(it *item) string {
	words, held := show.Waiting(&it.Task, m.snap.at), m.snap.around.runners.holdUp(&it.Task)
	if waitsHere(&it.Task) || held == "" {
		return words
	}
	return strings.TrimPrefix(words+", "+held, ", ")
}

// waitsHere reports whether a task waits in an outbox. What comes next is not known.
func waitsHere(t *schema.Task) bool {
	return len(t.WaitingFor) > 0 && t.WaitingFor[0].Kind == schema.WaitsForOutbox
}

// progressCell is a bar, or in words how far a task has come.
func progressCell(m *model, it *item, wide int) cell {
	switch share := done(it); {
	case !it.CancelRequestedAt.IsZero():
		return cell{text: "stopping", style: m.look.warning}
	case it.Stopped:
		return cell{text: "stopped", style: m.look.warning}
	case share >= 0:
		full, rest := bar(share, wide)
		return cell{full, m.look.bar, rest}
	case it.Progress != nil:
		return cell{text: show.Line(fmt.Sprintf("%g %s", it.Progress.Value, it.Progress.Unit)), style: m.look.running}
	}
	return cell{}
}

func percentCell(_ *model, it *item, _ int) cell {
	if share := done(it); share >= 0 {
		return cell{text: fmt.Sprintf("%.0f%%", math.Floor(share*100))}
	}
	return cell{}
}

// leftText is how long a task will still run if it goes on as it has since its start, or
// "" where nobody knows.
func leftText(it *item, now time.Time) string {
	const least = 0.01 // of a task: less says nothing of the rest
	share := done(it)
	if share < least || share >= 1 || it.StartedAt.IsZero() || !it.CancelRequestedAt.IsZero() || it.Stopped {
		return ""
	}
	ran := now.Sub(it.StartedAt.Time())
	left := float64(ran) * (1 - share) / share
	if left >= math.MaxInt64 || left < 0 {
		return ""
	}
	return show.Span(time.Duration(left).Round(time.Second))
}

func stateCell(m *model, it *item, _ int) cell {
	st := m.look.good
	switch it.State {
	case schema.Queued:
		st = m.look.head
	case schema.Running:
		st = m.look.running
	case schema.Failed:
		st = m.look.bad
	case schema.Cancelled:
		st = m.look.warning
	}
	return cell{text: show.Line(show.State(&it.Task)), style: st}
}

// listLines are the title of a list and its rows.
func (m *model) listLines(p pane, rows int) []string {
	cs, partCs, l := columns(p, m.width, false), columns(p, m.width, true), &m.lists[p]
	lines := []string{m.titleLine(p, cs)}
	for i := l.top; i < min(l.top+rows, len(l.items)); i++ {
		switch it, chosen := l.items[i], m.focus == p && i == l.cursor; {
		case it.note != "":
			lines = append(lines, m.noteRow(it))
		case it.depth > 0:
			lines = append(lines, m.row(partCs, it, chosen))
		default:
			lines = append(lines, m.row(cs, it, chosen))
		}
	}
	if len(l.items) == 0 {
		text := " none"
		if l.of > 0 {
			text = " none that the filter wants"
		}
		lines = append(lines, m.look.dim.paint(show.Cut(text, m.width)))
	}
	return lines
}

// row is a row of a list.
func (m *model) row(cs []column, it *item, chosen bool) string {
	var p painted
	p.columns = 1
	p.text = " "
	look := func(s style) style { return s }
	if chosen {
		look = func(style) style { return m.look.chosen }
		p.text = look(style{}).paint("›")
	}
	for i, c := range cs {
		if i > 0 {
			p.add(look(style{}), " ", m.width)
		}
		value, end := c.cell(m, it, c.wide), min(p.columns+c.wide, m.width)
		if space := c.wide - show.Columns(value.text); c.right && space > 0 {
			p.add(look(style{}), strings.Repeat(" ", space), end)
		}
		p.add(look(value.style), value.text, end)
		p.add(look(m.look.rest), value.rest, end)
		if space := end - p.columns; space > 0 && (chosen || i < len(cs)-1) {
			p.add(look(style{}), strings.Repeat(" ", space), end)
		}
	}
	return p.text
}

// titleLine is the name of a list with its numbers, and the titles of its columns.
func (m *model) titleLine(p pane, cs []column) string {
	var line painted
	name := m.look.head
	if m.focus == p {
		name = m.look.title
	}
	line.add(name, m.listTitle(p), m.width)
	at := 1
	for _, c := range cs {
		if end := at + c.wide; c.title != "" {
			from := at
			if c.right {
				from = end - len(c.title)
			}
			if from > line.columns && from < m.width {
				line.fill(from)
				line.add(m.look.dim, c.title, min(end, m.width))
			}
			if p == paneQueued && c.wide > noteColumns && c.title == "TASK" {
				line.add(m.look.dim, m.queueNote(), min(end, m.width))
			}
		}
		at += c.wide + 1
	}
	return line.text
}

// listTitle is the name of a list and how many tasks are in it.
func (m *model) listTitle(p pane) string {
	s, l := &m.snap.stats, &m.lists[p]
	var title string
	switch p {
	case paneRunning:
		title = "RUNNING " + grouped(s.Tasks.Running)
		if limit := s.Limits["running"]; limit > 0 {
			title += " of " + grouped(limit)
		}
	case paneQueued:
		title = "QUEUED " + grouped(s.Tasks.Queued)
	case paneEnded:
		title = "ENDED " + grouped(s.Tasks.Completed+s.Tasks.Failed+s.Tasks.Cancelled)
	}
	if m.filter.text != "" {
		title += fmt.Sprintf(" (%d)", l.wanted)
	}
	return title
}

// noteColumns is the width of a column from which on its title has a note.
const noteColumns = 30

// queueNote says why tasks wait, which of them are shown, and what is to come.
func (m *model) queueNote() string {
	words := m.snap.around.words(m.snap.at)
	if m.snap.stats.Tasks.Queued > 0 {
		words = append([]string{m.whyQueued()}, words...)
	}
	if len(words) == 0 {
		return ""
	}
	return "  " + strings.Join(words, "; ")
}

// whyQueued says why tasks wait, and which of them are shown.
func (m *model) whyQueued() string {
	s := &m.snap.stats
	var note string
	switch limit, told := s.Limits["running"]; {
	case m.snap.around.paused:
		note = "everything is paused"
	case s.Store.Fault != "":
		note = "the store takes no starts"
	case s.ShuttingDown:
		note = "the server is ending"
	case limit > 0 && s.Tasks.Running+s.Stuck >= limit:
		note = "all slots are taken"
	case told && limit == 0 && m.allWait():
		note = "each waits for more than a slot"
	case told && limit == 0:
		note = "an executor elsewhere runs them"
	case m.allWait():
		note = "each waits for more than a slot"
	default:
		note = "no slot for this type"
	}
	if m.snap.queueMore {
		note += fmt.Sprintf(", the oldest %d", len(m.snap.queued))
	}
	return note
}

// allWait reports whether each task of the queue waits for what it was submitted to wait for.
func (m *model) allWait() bool {
	return !slices.ContainsFunc(m.snap.queued, func(it *item) bool { return m.waitsFor(it) == "" })
}

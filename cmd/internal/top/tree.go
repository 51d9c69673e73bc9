package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
)

// This file shows the parts of a task below it.

// unfold shows the parts of the selected task below it.
func (m *model) unfold() {
	it := m.lists[m.focus].selected()
	switch {
	case it == nil || slices.Contains(m.unfolded, it.ID):
	case len(m.unfolded) == mostUnfolded:
		m.notice = fmt.Sprintf("%d tasks show their parts, and no more can; ← hides those of one", mostUnfolded)
	default:
		m.unfolded = append(slices.Clone(m.unfolded), it.ID)
		m.arrange()
	}
}

// fold hides the parts of the selected task, or those of the task of which it is a part.
func (m *model) fold() {
	l := &m.lists[m.focus]
	it := l.selected()
	if it == nil {
		return
	}
	if at := l.cursor; !slices.Contains(m.unfolded, it.ID) {
		for at > 0 && l.items[at].depth >= it.depth {
			at--
		}
		if l.items[at].depth >= it.depth { // it is no part
			return
		}
		l.move(at)
		it = l.items[at]
	}
	m.unfolded = slices.DeleteFunc(slices.Clone(m.unfolded), func(id uuid.UUID) bool { return id == it.ID })
	m.arrange()
}

// forget leaves the tasks folded that are in no list any more.
func (m *model) forget() {
	listed := map[uuid.UUID]bool{}
	for p := range m.lists {
		for _, it := range m.lists[p].items {
			listed[it.ID] = true
		}
	}
	m.unfolded = slices.DeleteFunc(slices.Clone(m.unfolded), func(id uuid.UUID) bool { return !listed[id] })
}

// withParts puts the parts of tasks below them. A part is there once: it is no task of the list
// then.
func (m *model) withParts(items []*item) []*item {
	if len(m.unfolded) == 0 {
		return items
	}
	below := map[uuid.UUID]bool{}
	for _, it := range items {
		m.noteParts(it.ID, below)
	}
	rows := make([]*item, 0, len(items))
	for _, it := range items {
		if !below[it.ID] {
			rows = m.appendTree(rows, it)
		}
	}
	return rows
}

// noteParts notes the parts that are shown below a task.
func (m *model) noteParts(id uuid.UUID, below map[uuid.UUID]bool) {
	if slices.Contains(m.unfolded, id) {
		for _, part := range m.snap.parts[id].items {
			below[part.ID] = true
			m.noteParts(part.ID, below)
		}
	}
}

// appendTree appends a task and what is shown below it.
func (m *model) appendTree(rows []*item, it *item) []*item {
	rows = append(rows, it)
	if !slices.Contains(m.unfolded, it.ID) {
		return rows
	}
	p, known := m.snap.parts[it.ID]
	for _, part := range p.items {
		row := *part
		row.depth = it.depth + 1
		rows = m.appendTree(rows, &row)
	}
	note := ""
	switch {
	case !known:
		note = "…"
	case p.more > 0:
		note = fmt.Sprintf("and %s more; jobline list --parent %s shows them", grouped(p.more), show.ShortID(it.ID))
	case len(p.items) == 0:
		note = "no parts"
	default:
		return rows
	}
	return append(rows, &item{note: note, depth: it.depth + 1})
}

// typeCell is the type of a task, with a mark that it has parts, or is one.
func typeCell(m *model, it *item, _ int) cell {
	mark := strings.Repeat("  ", max(0, it.depth-1))
	switch {
	case slices.Contains(m.unfolded, it.ID):
		mark += "▾ "
	case m.snap.parents[it.ID]:
		mark += "▸ "
	case it.depth > 0:
		mark += "└ "
	}
	return cell{text: mark + show.Line(it.Type)}
}

// partColumns are the columns of a part of a task: in place of those of the list it says how it is.
func partColumns(middle []column) []column {
	wide := len(middle) - 1 // the spaces between them
	for _, c := range middle {
		wide += c.wide
	}
	return []column{{"", wide, false, 0, func(m *model, it *item, wide int) cell {
		c := stateCell(m, it, wide)
		if ran := show.Ran(&it.Task, m.snap.at); ran != "" && show.Columns(c.text)+1+len(ran) <= wide {
			c.text += " " + ran
		}
		return c
	}}}
}

// noteRow is a row that says something of the parts of a task.
func (m *model) noteRow(it *item) string {
	var p painted
	p.fill(len(" 12345678 ") + 2*(it.depth-1))
	p.add(m.look.dim, "└ "+it.note, m.width)
	return p.text
}

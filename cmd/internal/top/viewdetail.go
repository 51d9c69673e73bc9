package top

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// wideColumns is the width from which on there is room for a whole id.
const wideColumns = 80

// detailLines are the title of the detail pane, what a person wants to know of the task,
// and its output in the rows that are left.
func (m *model) detailLines(rows int) []string {
	title := m.look.head
	if m.focus == paneDetail {
		title = m.look.title
	}
	var p painted
	id := m.opened.String()
	if m.width < wideColumns {
		id = show.ShortID(m.opened)
	}
	p.add(title, "TASK "+id, m.width)
	task := &m.detail.task
	if task.ID == uuid.Nil {
		text := "  …"
		if m.detail.forgotten {
			text = "  it is no longer kept"
		}
		p.add(m.look.dim, text, m.width)
		return []string{p.text}
	}
	p.add(m.look.dim, fmt.Sprintf("  %s  attempt %d", show.State(task), task.Attempt), m.width)
	switch {
	case m.scroll > 0:
		p.add(m.look.warning, fmt.Sprintf("  %d lines below, f follows", m.scroll), m.width)
	case m.follow && !task.State.Final():
		p.add(m.look.running, "  follows", m.width)
	}
	lines := append([]string{p.text}, m.factLines(task)...)
	lines = lines[:min(len(lines), 1+rows)]
	return append(lines, m.outputLines(1+rows-len(lines))...)
}

// factLines say what the task does and how it has ended.
func (m *model) factLines(t *schema.Task) []string {
	var lines []string
	add := func(name string, s style, text string) {
		if text == "" {
			return
		}
		var p painted
		p.add(m.look.dim, show.Pad(name, max(8, len(name)+1)), m.width)
		p.add(s, show.Line(text), m.width)
		lines = append(lines, p.text)
	}
	add(t.Type, m.look.head, show.Work(t))
	labels := show.Labels(t.Labels)
	if owner := t.Labels[show.OwnerLabel]; owner != "" {
		labels = strings.TrimSpace(show.OwnerLabel + "=" + owner + " " + labels)
	}
	add("labels", style{}, labels)
	if t.Children != nil {
		add("parts", style{}, show.StateCounts(t.Children))
	}
	if c := t.Conditions; c != nil {
		if c.Parent != uuid.Nil {
			add("part of", style{}, m.parentText(c.Parent))
		}
		add("group", style{}, c.Group)
		add("key", style{}, c.Key)
		add("needs", style{}, show.Needs(c.Needs))
		add("on", style{}, show.Places(c.On))
	}
	switch {
	case t.State == schema.Queued:
		for i := range t.WaitingFor {
			add("waits", m.look.warning, show.WaitingText(&t.WaitingFor[i]))
		}
	case t.State == schema.Running && t.Progress != nil:
		add("progress", m.look.running, strings.TrimSpace(fmt.Sprintf("%g/%g %s %s", t.Progress.Value, t.Progress.Total, t.Progress.Unit, t.Progress.Message)))
	case t.State == schema.Completed:
		add("result", m.look.good, string(t.Result[:min(len(t.Result), mostOfLine)]))
	case t.State.Final():
		add("error", m.look.bad, show.End(t))
	}
	return lines
}

// parentText names a task of which another one is a part, with what it does where that is known.
func (m *model) parentText(id uuid.UUID) string {
	text := id.String()
	for p := range m.lists {
		for _, it := range m.lists[p].items {
			if it.ID == id {
				return strings.TrimSpace(text + "  " + show.State(&it.Task) + "  " + it.work)
			}
		}
	}
	return text
}

// outputLines are as many rows of output as there is room for, up to the line that is the
// last on the screen. A long line takes several rows.
func (m *model) outputLines(rows int) []string {
	if rows <= 0 {
		return nil
	}
	if len(m.detail.lines) == 0 {
		return []string{m.look.dim.paint("no output")}
	}
	var found []string // the last row first
	for i := len(m.detail.lines) - 1 - m.scroll; i >= 0 && len(found) < rows; i-- {
		l := m.detail.lines[i]
		s := style{}
		switch l.stream {
		case schema.Stderr:
			s = m.look.warning
		case schema.Log:
			s = m.look.dim
		}
		parts := wrapped(l.text, m.width)
		for j := len(parts) - 1; j >= 0 && len(found) < rows; j-- {
			found = append(found, s.paint(parts[j]))
		}
	}
	lines := make([]string, len(found))
	for i, text := range found {
		lines[len(found)-1-i] = text
	}
	return lines
}

// wrapped breaks a line into rows of at most so many columns.
func wrapped(text string, columns int) []string {
	var rows []string
	for show.Columns(text) > columns {
		used := 0
		for i, r := range text {
			if used += show.Columns(string(r)); used > columns {
				rows, text = append(rows, text[:i]), text[i:]
				break
			}
		}
	}
	return append(rows, text)
}

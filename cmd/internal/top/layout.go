package top

import "github.com/google/uuid"

// Rows of the screen.
const (
	headRows  = 2 // the counts and the curves
	footRows  = 1 // keys, questions, the filter
	leastRows = 2 // of a list, with its title, where all three are shown
	// leastColumns is the width below which nothing is shown.
	leastColumns = 30
)

// layout is where the parts of the screen are.
type layout struct {
	title [listPanes + 1]int // the row of a part's title
	rows  [listPanes + 1]int // how many rows are below the title; 0 where the part is hidden
}

// layout places the parts that have room.
func (m *model) layout() layout {
	l := layout{}
	body := m.height - headRows - footRows
	if m.opened == uuid.Nil {
		l.placeLists(m, body)
		return l
	}
	used := 0
	if body/2 >= leastRows {
		used = l.placeLists(m, body/2)
	}
	l.title[paneDetail], l.rows[paneDetail] = headRows+used, max(0, body-used-1)
	return l
}

// placeLists shares rows among the lists: each gets what it needs, and where that is too
// much, the same as the others. Where there is room for one alone, it is the one with
// the focus. It answers how many rows they have.
func (l *layout) placeLists(m *model, rows int) (used int) {
	shown := []pane{paneRunning, paneQueued, paneEnded}
	if rows < len(shown)*leastRows {
		shown = []pane{m.focus}
		if m.focus == paneDetail {
			shown[0] = m.from
		}
	}
	left := rows - len(shown)
	if left <= 0 {
		return 0
	}
	for given := true; left > 0 && given; {
		given = false
		for _, p := range shown {
			if left > 0 && l.rows[p] < max(1, len(m.lists[p].items)) {
				l.rows[p]++
				left--
				given = true
			}
		}
	}
	for _, p := range shown {
		l.title[p] = headRows + used
		used += 1 + l.rows[p]
	}
	return used
}

// at is the part at a row of the screen, and which of its rows that is: -1 is its title.
func (l layout) at(y int) (p pane, row int, ok bool) {
	for p := range pane(listPanes + 1) {
		if row := y - l.title[p] - 1; l.rows[p] > 0 && row >= -1 && row < l.rows[p] {
			return p, row, true
		}
	}
	return 0, 0, false
}

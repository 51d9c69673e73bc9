package cmd

import (
	"io"
	"slices"
	"strings"

	"github.com/jobline/jobline/cmd/internal/show"
)

// tableGap is what stands between two columns.
const tableGap = "  "

// tableColumn is one column of a table.
type tableColumn struct {
	title string
	// least is how narrow the column may become where the table is too wide; 0 is
	// never narrower than its widest cell.
	least int
	// drop says in which order columns are left out where narrow ones are not
	// enough: the highest first; 0 is never.
	drop int
}

// tableCell is a text, of which nothing has been made harmless yet, and how it looks.
type tableCell struct {
	text  string
	style style
}

// table is printed in lines that fit a terminal.
type table struct {
	columns []tableColumn
	rows    [][]tableCell
}

func (t *table) add(cells ...tableCell) { t.rows = append(t.rows, cells) }

// lines are the table with its titles, in lines of at most so many columns; 0 is as
// many as it takes. Columns without any text are left out.
func (t *table) lines(out terminal, columns int) []string {
	rows := make([][]tableCell, 0, len(t.rows)+1)
	titles := make([]tableCell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = tableCell{c.title, bold}
	}
	rows = append(rows, titles)
	for _, row := range t.rows {
		clean := make([]tableCell, len(row))
		for i, cell := range row {
			clean[i] = tableCell{show.Line(cell.text), cell.style}
		}
		rows = append(rows, clean)
	}
	widths := t.fit(rows, columns)
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = rowText(out, row, widths)
	}
	return lines
}

// rowText is one row; a column of width 0 is left out.
func rowText(out terminal, row []tableCell, widths []int) string {
	var b strings.Builder
	spaces := "" // owed before the next text, so that no line ends with spaces
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		text := show.Cut(cell.text, widths[i])
		if text != "" {
			b.WriteString(spaces + out.paint(cell.style, text))
			spaces = ""
		}
		spaces += strings.Repeat(" ", widths[i]-show.Columns(text)) + tableGap
	}
	return b.String()
}

// fit chooses the width of each column; 0 leaves it out.
func (t *table) fit(rows [][]tableCell, columns int) []int {
	widths := make([]int, len(t.columns))
	for i := range t.columns {
		empty := len(rows) > 1
		for n, row := range rows {
			widths[i] = max(widths[i], show.Columns(row[i].text))
			empty = empty && (n == 0 || row[i].text == "")
		}
		if empty {
			widths[i] = 0
		}
	}
	if columns <= 0 {
		return widths
	}
	for over := tableWidth(widths) - columns; over > 0; over = tableWidth(widths) - columns {
		if !t.narrow(widths, over) && !t.dropOne(widths) {
			break
		}
	}
	return widths
}

// narrow takes columns from the widest of those that may become narrower.
func (t *table) narrow(widths []int, over int) bool {
	widest := -1
	for i, c := range t.columns {
		if c.least > 0 && widths[i] > c.least && (widest < 0 || widths[i] > widths[widest]) {
			widest = i
		}
	}
	if widest < 0 {
		return false
	}
	widths[widest] = max(t.columns[widest].least, widths[widest]-max(1, over/2))
	return true
}

// dropOne leaves out a column.
func (t *table) dropOne(widths []int) bool {
	last := -1
	for i, c := range t.columns {
		if widths[i] > 0 && c.drop > 0 && (last < 0 || c.drop > t.columns[last].drop) {
			last = i
		}
	}
	if last < 0 {
		return false
	}
	widths[last] = 0
	return true
}

func tableWidth(widths []int) int {
	shown := slices.DeleteFunc(slices.Clone(widths), func(n int) bool { return n == 0 })
	total := -len(tableGap)
	for _, n := range shown {
		total += n + len(tableGap)
	}
	return total
}

// print writes the table for a file.
func (t *table) print(w io.Writer, out terminal) error {
	_, err := io.WriteString(w, strings.Join(t.lines(out, out.columns()), "\n")+"\n")
	return err
}

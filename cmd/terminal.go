package cmd

import (
	"os"

	"golang.org/x/term"

	"github.com/jobline/jobline/schema"
)

// defaultColumns and defaultRows are the size of a terminal that does not tell its own.
const (
	defaultColumns = 80
	defaultRows    = 24
)

// terminal says what a file can show.
type terminal struct {
	// size answers columns and rows; 0 columns is no terminal. A person may change
	// it at any time.
	size func() (columns, rows int)
	// moves says that the cursor can be moved, so that what was written can be
	// replaced.
	moves bool
	// colours says that a person wants colours, and the terminal has them.
	colours bool
}

// terminalOf looks at a file and at the environment.
func terminalOf(f *os.File) terminal {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return terminal{size: func() (int, int) { return 0, 0 }}
	}
	moves := os.Getenv("TERM") != "dumb"
	return terminal{
		size: func() (int, int) {
			if columns, rows, err := term.GetSize(fd); err == nil && columns > 0 && rows > 0 {
				return columns, rows
			}
			return defaultColumns, defaultRows
		},
		moves:   moves,
		colours: moves && os.Getenv("NO_COLOR") == "",
	}
}

// isTerminal reports whether the file is a terminal.
func (t terminal) isTerminal() bool { return t.columns() > 0 }

// columns is the width, or 0 where the file is no terminal.
func (t terminal) columns() int {
	columns, _ := t.size()
	return columns
}

// style is a colour or another look of text, as a parameter of the escape sequence
// SGR.
type style string

// The styles of this program: of the 16 colours that a person chooses for a terminal.
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	blue   style = "34"
	violet style = "35"
	cyan   style = "36"
)

// paint gives text a style. The text has no escape sequences of its own.
func (t terminal) paint(s style, text string) string {
	if !t.colours || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// stateStyle is the colour of a state.
func stateStyle(s schema.State) style {
	return [...]style{
		schema.Queued: dim, schema.Running: cyan, schema.Completed: green, schema.Failed: red, schema.Cancelled: yellow,
	}[s]
}

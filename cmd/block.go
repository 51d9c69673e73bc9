package cmd

import (
	"fmt"
	"io"
	"strings"
)

// clearLine goes to the begin of the line and clears it.
const clearLine = "\r\x1b[K"

// block is a few lines at the bottom of a terminal, which are drawn again and again
// in the same place. What is written between must be preceded by a clear. Each line
// must fit the terminal.
type block struct {
	to    io.Writer // the terminal
	lines int       // that are drawn now
}

// draw replaces the lines.
func (b *block) draw(lines []string) {
	if len(lines) == 0 {
		b.clear()
		return
	}
	var text strings.Builder
	b.toFirst(&text)
	for i, line := range lines {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(clearLine + line)
	}
	if b.lines > len(lines) {
		text.WriteString("\x1b[J") // what is left of the lines before
	}
	b.lines = len(lines)
	_, _ = io.WriteString(b.to, text.String()) // a screen that cannot be written to has no reader
}

// clear removes the lines.
func (b *block) clear() {
	if b.lines == 0 {
		return
	}
	var text strings.Builder
	b.toFirst(&text)
	text.WriteString(clearLine)
	if b.lines > 1 {
		text.WriteString("\x1b[J")
	}
	b.lines = 0
	_, _ = io.WriteString(b.to, text.String())
}

// toFirst moves the cursor up to the first of the lines.
func (b *block) toFirst(text *strings.Builder) {
	if b.lines > 1 {
		fmt.Fprintf(text, "\x1b[%dA", b.lines-1)
	}
}

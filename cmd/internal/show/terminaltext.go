package show

import (
	"bytes"
	"unicode/utf8"
)

// maxSequence is how much of an escape sequence is held back until its end comes, in bytes.
const maxSequence = 4096

const escape = 0x1b

// TerminalText makes what programs write for a terminal fit for a viewer, piece by piece:
// valid UTF-8 with tabs, newlines, carriage returns and backspaces. Of the escape sequences
// colours and "erase the line" stay. Other sequences and control characters go. The zero value
// is ready for use.
type TerminalText struct {
	held []byte // a sequence or a character whose end has not come
}

// Append appends what a piece shows.
func (t *TerminalText) Append(b, piece []byte) []byte {
	text := piece
	if len(t.held) > 0 {
		text = append(t.held, piece...)
		t.held = nil
	}
	for len(text) > 0 {
		n, shown, whole := next(text)
		if !whole && len(text) < maxSequence {
			t.held = bytes.Clone(text)
			break
		}
		b = append(b, shown...)
		text = text[n:]
	}
	return b
}

// Flush appends what a character shows whose end never came.
func (t *TerminalText) Flush(b []byte) []byte {
	if len(t.held) > 0 && t.held[0] != escape {
		b = utf8.AppendRune(b, utf8.RuneError)
	}
	t.held = nil
	return b
}

// next answers how long the first part of text is, and what it shows. It is not whole where
// what follows may belong to it.
func next(text []byte) (n int, shown []byte, whole bool) {
	switch c := text[0]; {
	case c == escape:
		n, keep, whole := sequence(text)
		if keep {
			shown = text[:n]
		}
		return n, shown, whole
	case c == '\n' || c == '\t' || c == '\r' || c == '\b':
		return 1, text[:1], true
	case c < ' ' || c == 0x7f:
		return 1, nil, true
	case c < utf8.RuneSelf:
		for n = 1; n < len(text) && text[n] >= ' ' && text[n] < 0x7f; n++ {
		}
		return n, text[:n], true
	}
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return n, []byte(string(utf8.RuneError)), utf8.FullRune(text)
	case r < 0xa0: // an old terminal takes these for the beginning of a sequence
		return n, nil, true
	}
	return n, text[:n], true
}

// sequence answers how long an escape sequence is that text begins with, and whether a viewer
// is to have it.
func sequence(text []byte) (n int, keep, whole bool) {
	if len(text) == 1 {
		return 1, false, false
	}
	switch text[1] {
	case '[':
		return parameterSequence(text)
	case ']', 'P', 'X', '^', '_':
		n, whole := textSequence(text)
		return n, false, whole
	}
	n = skip(text, 1, ' ', '/')
	if n < len(text) && text[n] >= '0' && text[n] <= '~' {
		return n + 1, false, true
	}
	return n, false, n < len(text)
}

// parameterSequence is of a sequence of parameters and a last letter.
func parameterSequence(text []byte) (n int, keep, whole bool) {
	parameters := skip(text, 2, '0', '?')
	n = skip(text, parameters, ' ', '/')
	if n == len(text) {
		return n, false, false
	}
	last := text[n]
	if last < '@' || last > '~' {
		return n, false, true
	}
	plain := n == parameters && !bytes.ContainsAny(text[2:n], "<=>?")
	return n + 1, plain && (last == 'm' || last == 'K'), true
}

// textSequence is of a sequence with a text for the terminal, which BEL or ST ends. A newline
// ends it, too: a text that is never ended hides one line.
func textSequence(text []byte) (n int, whole bool) {
	end := bytes.IndexAny(text[1:], "\a\n\x1b") + 1
	switch {
	case end == 0:
		return len(text), false
	case text[end] == '\a':
		return end + 1, true
	case text[end] == '\n':
		return end, true
	case end+1 == len(text):
		return len(text), false
	case text[end+1] == '\\':
		return end + 2, true
	}
	return end, true
}

// skip answers where the bytes from at on are no longer between first and last.
func skip(text []byte, at int, first, last byte) int {
	for at < len(text) && text[at] >= first && text[at] <= last {
		at++
	}
	return at
}

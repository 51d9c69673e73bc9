package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// This file makes text of others harmless for a terminal: what a task writes, and
// what is in the file of a store.

// safe is a writer to a file for text of others. On a terminal nothing in the text
// can move the cursor, set the clipboard or imitate other text. Where the file is
// no terminal the bytes stay as they are.
func safe(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return escapingWriter{f}
	}
	return f
}

// escapingWriter writes text with its control characters made visible.
type escapingWriter struct{ to io.Writer }

func (n escapingWriter) Write(p []byte) (int, error) {
	if _, err := n.to.Write(escapeControls(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// escapeControls appends text with everything made visible that a terminal would
// obey: control characters but newline and tab, what reverses the direction
// of text, and bytes that are not UTF-8 (an old terminal takes 0x9b for ESC [).
func escapeControls(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t':
			b = append(b, byte(r))
		case r == '\r' && bytes.HasPrefix(text[1:], []byte("\n")):
		case r < ' ' || r == 0x7f: // as people write them
			b = append(b, '^', byte(r)^0x40)
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case isControl(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b
}

// isControl reports whether a terminal would obey a character. The control
// characters of ASCII below space are not among them: they are escaped otherwise.
func isControl(r rune) bool { return r >= 0x7f && r < 0xa0 || bidirectional(r) }

// bidirectional reports whether a character changes the direction of text, or is a
// separator that some programs take for a newline.
func bidirectional(r rune) bool {
	return r == 0x061c || r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// escapeControlsInJSON writes the characters that a terminal would obey as \u
// escapes, which mean the same in JSON. It does so for files, too: they may be
// shown on a terminal later.
func escapeControlsInJSON(text []byte) []byte {
	if bytes.IndexFunc(text, isControl) < 0 {
		return text
	}
	safe := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range string(text) {
		if isControl(r) {
			safe = fmt.Appendf(safe, `\u%04x`, r)
		} else {
			safe = utf8.AppendRune(safe, r)
		}
	}
	return safe
}

package show

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Escape appends text with everything made visible that a terminal would
// obey: control characters but newline and tab, what reverses the direction
// of text, and bytes that are not UTF-8 (an old terminal takes 0x9b for ESC [).
func Escape(b, text []byte) []byte {
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
		case IsControl(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b
}

// IsControl reports whether a terminal would obey a character. The control
// characters of ASCII below space are not among them: they are escaped otherwise.
func IsControl(r rune) bool { return r >= 0x7f && r < 0xa0 || bidirectional(r) }

// bidirectional reports whether a character changes the direction of text, or is a
// separator that some programs take for a newline.
func bidirectional(r rune) bool {
	return r == 0x061c || r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// EscapeJSON writes the characters that a terminal would obey as \u
// escapes, which mean the same in JSON. It does so for files, too: they may be
// shown on a terminal later.
func EscapeJSON(text []byte) []byte {
	if bytes.IndexFunc(text, IsControl) < 0 {
		return text
	}
	safe := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range string(text) {
		if IsControl(r) {
			safe = fmt.Appendf(safe, `\u%04x`, r)
		} else {
			safe = utf8.AppendRune(safe, r)
		}
	}
	return safe
}

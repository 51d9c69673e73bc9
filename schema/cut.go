package schema

import (
	"strings"
	"unicode/utf8"
)

// maxCut is the most characters of a client's text that a message shows.
const maxCut = 100

// Cut shortens a client's text for a message to 100 characters and "…".
func Cut[T ~string | ~[]byte](text T) string {
	head := string(text[:min(len(text), maxCut*utf8.UTFMax+1)]) // has more than maxCut where text is cut here
	n := 0
	for i := range head {
		if n == maxCut {
			return head[:i] + "…"
		}
		n++
	}
	return head
}

// CutBytes cuts text to at most n bytes of valid UTF-8.
func CutBytes(text string, n int) string {
	if len(text) > n {
		text = strings.Clone(text[:n]) // a part of a text keeps the whole in memory
	}
	return strings.ToValidUTF8(text, "")
}

package show

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// shownInPieces is what text shows that comes in pieces of this size.
func shownInPieces(text string, size int) string {
	var t TerminalText
	var b []byte
	for at := 0; at < len(text); at += size {
		b = t.Append(b, []byte(text[at:min(at+size, len(text))]))
	}
	return string(t.Flush(b))
}

func TestTerminalText(t *testing.T) {
	for in, want := range map[string]string{
		"plain ⌘ text\t1\r\n\b":                    "plain ⌘ text\t1\r\n\b",
		"\x1b[1;31mred\x1b[0m \x1b[38:5:9mx\x1b[m": "\x1b[1;31mred\x1b[0m \x1b[38:5:9mx\x1b[m",
		"a\r\x1b[Kb":                                  "a\r\x1b[Kb",
		"\x1b[2J\x1b[?25l\x1b[>4;1m\x1b[1 qx":         "x",
		"\x1b]0;title\ax\x1b]8;;u\x1b\\y\x1bPq\x1b\\": "xy",
		"\x1b]never ended\nnext":                      "\nnext",
		"\x1b]a\x1b[31mb":                             "\x1b[31mb",
		"\x1b(Bx\x1b=y\x1b":                           "xy",
		"\x1b[31":                                     "",
		"\x1b[3\nx":                                   "\nx",
		"\x00\a\x7f\u009b31m":                         "31m",
		"\xff\xc3":                                    "\ufffd\ufffd",
	} {
		for _, size := range []int{len(in), 1, 2, 3} {
			require.Equal(t, want, shownInPieces(in, size), "%q in pieces of %d", in, size)
		}
	}
	endless := "\x1b]" + strings.Repeat("x", 2*maxSequence)
	require.Len(t, shownInPieces(endless, 1), maxSequence+2, "it is no longer waited for")
}

// FuzzTerminalText looks for a control character that gets through, and for a place where a cut
// changes what is shown.
func FuzzTerminalText(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m \x1b]0;t\x1b\\\u009bé\xc3", 1)
	f.Add("\x1b[2\x1b[m\x1b \x1b[\n", 2)
	f.Fuzz(func(t *testing.T, in string, size int) {
		if size < 1 || len(in) >= maxSequence {
			t.Skip()
		}
		shown := shownInPieces(in, max(1, len(in)))
		require.Equal(t, shown, shownInPieces(in, size))
		require.True(t, utf8.ValidString(shown))
		for i, r := range shown {
			if r < ' ' && !strings.ContainsRune("\n\t\r\b", r) && (r != escape || shown[i+1] != '[') || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q shows %q", in, shown)
			}
		}
	})
}

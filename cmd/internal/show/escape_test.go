package show

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeutralise(t *testing.T) {
	for in, want := range map[string]string{
		"plain ⌘ text\t1\n":        "plain ⌘ text\t1\n",
		"\x1b[31mred\x1b[0m":       "^[[31mred^[[0m",
		"\x1b]52;c;ZXZpbA==\a":     "^[]52;c;ZXZpbA==^G",
		"a\r\nb\rc":                "a\nb^Mc",
		"\x00\x7f\b":               "^@^?^H",
		"\u009b31m":                `\u009b31m`,
		"\x9b31m\xff":              `\x9b31m\xff`,
		"a\u202egnp.exe":           `a\u202egnp.exe`,
		"\u2028\u2066\u200f\u061c": `\u2028\u2066\u200f\u061c`,
		"\ufffd":                   "\ufffd",
	} {
		require.Equal(t, want, string(Escape(nil, []byte(in))), "%q", in)
	}
}

// FuzzNeutralise looks for a control character that gets through.
func FuzzNeutralise(f *testing.F) {
	f.Add([]byte("\x1b[2J\r\n\u009b\xc2"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, r := range string(Escape(nil, in)) {
			if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0 || bidirectional(r)) {
				t.Fatalf("%q has %U", in, r)
			}
		}
	})
}

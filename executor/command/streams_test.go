package command

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTail(t *testing.T) {
	tests := map[string]struct{ written, want string }{
		"nothing":            {"", ""},
		"little":             {"abc\n", "abc\n"},
		"at the limit":       {strings.Repeat("x", maxTail), strings.Repeat("x", maxTail)},
		"one past the limit": {"y" + strings.Repeat("x", maxTail), strings.Repeat("x", maxTail)},
		"in a character":     {"é" + strings.Repeat("x", maxTail-1), strings.Repeat("x", maxTail-1)},
		"in one, at once":    {"é" + strings.Repeat("é", maxTail/2) + "x", strings.Repeat("é", maxTail/2-1) + "x"},
		"not UTF-8":          {"a\xffb", "a\uFFFDb"},
		"not UTF-8, long":    {strings.Repeat("\xffa", maxTail), strings.Repeat("\uFFFDa", maxTail/4)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tl := &tail{to: io.Discard}
			_, err := io.WriteString(tl, test.written)
			require.NoError(t, err)
			require.Equal(t, test.want, tl.text())
		})
	}
}

// TestTailOfAny: whatever the pieces, all is passed on, and valid text ends as
// what was written ends.
func TestTailOfAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.StringN(1, 8, 32).Draw(t, "text"), rapid.IntRange(1, 600).Draw(t, "times"))
		})).Draw(t, "pieces")
		var to bytes.Buffer
		tl := &tail{to: &to}
		for _, p := range pieces {
			_, _ = io.WriteString(tl, p)
		}
		all, got := strings.Join(pieces, ""), tl.text()
		require.Equal(t, all, to.String())
		require.LessOrEqual(t, len(got), maxTail)
		require.LessOrEqual(t, cap(tl.kept), 8*maxTail)
		require.True(t, utf8.ValidString(got))
		require.True(t, strings.HasSuffix(all, got))
		require.GreaterOrEqual(t, len(got), min(len(all), maxTail-utf8.UTFMax+1))
	})
}

package exec

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
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

// slowly takes what is written to it as a reader of the task's output does that
// the task waits for.
type slowly struct {
	bytes.Buffer
	each time.Duration
}

func (w *slowly) Write(p []byte) (int, error) {
	time.Sleep(w.each)
	return w.Buffer.Write(p)
}

// TestDrainWaitsForReaders: a pipe that is still open because its bytes wait
// for a reader is held by nobody, and none of them is lost.
func TestDrainWaitsForReaders(t *testing.T) {
	const pieces = 8
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	out := &slowly{each: pipeDelay}
	s, err := openStreams(stdinSource{file: null}, out, io.Discard)
	require.NoError(t, err)
	s.begin()
	s.copyInBackground()
	written := bytes.Repeat([]byte("0123456789abcdef"), pieces*copyBytes/16)
	_, err = s.child[1].Write(written)
	require.NoError(t, err)
	s.closeChild()
	require.False(t, s.drain(func() {}))
	require.True(t, bytes.Equal(written, out.Bytes()))
}

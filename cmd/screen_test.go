package cmd

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// onPipes is a screen without a terminal.
func onPipes() (s *screen, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	return &screen{program: "jobline", name: "work", out: out, err: err, bottom: block{to: err}, columns: func() int { return 0 }}, out, err
}

func TestProgressLinesAreAtMostOneASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, err := onPipes()
		for i := range 26 {
			s.progress(schema.Progress{Value: float64(i), Total: 30, Unit: "steps", Message: "a\nb"})
			time.Sleep(100 * time.Millisecond)
		}
		require.Equal(t, "work: 0% 0/30 steps a b\nwork: 33% 10/30 steps a b\nwork: 66% 20/30 steps a b\n", err.String())
	})
}

func TestProgressInWords(t *testing.T) {
	s, _, _ := onPipes()
	for want, p := range map[string]schema.Progress{
		"work: 3":              {Value: 3},
		"work: 3 files":        {Value: 3, Unit: "files"},
		"work: 100% 12/10 now": {Value: 12, Total: 10, Message: "now"},
		"work: 99% 999/1000":   {Value: 999, Total: 1000},
		"work: 0% -1/10":       {Value: -1, Total: 10},
	} {
		require.Equal(t, want, s.text(p))
	}
}

func TestBarFitsTheTerminal(t *testing.T) {
	s, _, err := onPipes()
	s.columns = func() int { return 40 }
	s.progress(schema.Progress{Value: 1, Total: 2, Message: "\x1b[2J" + strings.Repeat("é", 100)})
	bar := strings.TrimPrefix(err.String(), clearLine)
	require.Len(t, []rune(bar), 39)
	require.True(t, strings.HasPrefix(bar, "[############............] work: 50%"), bar)
	require.NotContains(t, bar, "\x1b")
}

func TestBarMakesRoomForOutput(t *testing.T) {
	s, out, err := onPipes()
	s.columns = func() int { return 80 }
	progress := schema.Progress{Value: 1}
	s.progress(progress)
	_, writeErr := s.Write([]byte("half a "))
	require.NoError(t, writeErr)
	s.progress(progress) // not in the middle of a line
	_, writeErr = s.Write([]byte("line\n"))
	require.NoError(t, writeErr)
	s.progress(progress)
	s.say("stopped after %d", 1)
	s.progress(progress)
	s.done()
	require.NoError(t, s.result([]byte("{}\n")))
	bar := clearLine + "work: 1"
	require.Equal(t, bar+clearLine+"half a line\n"+bar+clearLine+"jobline: stopped after 1\n"+bar+clearLine, err.String())
	require.Equal(t, "{}\n", out.String())
}

func TestOurWordsBeginALine(t *testing.T) {
	s, _, err := onPipes()
	_, writeErr := s.Write([]byte("no newline"))
	require.NoError(t, writeErr)
	s.say("failed")
	require.Equal(t, "no newline\njobline: failed\n", err.String())
}

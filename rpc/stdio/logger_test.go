package stdio

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// plain is the text format without the time.
func plain(w io.Writer, o *slog.HandlerOptions) slog.Handler {
	o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return slog.NewTextHandler(w, o)
}

func TestLoggerWritesAllWhenItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, l := NewLogger(&out, slog.LevelInfo, plain)
		log.Debug("not at this level")
		log.With("a", 1).WithGroup("g").Info("one", "b", 2)
		log.Warn("two")
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		require.Equal(t, "level=INFO msg=one a=1 g.b=2\nlevel=WARN msg=two\n", out.String())
	})
}

func TestLoggerLimitsLinesWithTheSameText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, l := NewLogger(&out, slog.LevelInfo, plain)
		for i := range logPerWindow + 312 {
			log.Error("a bad message", "n", i)
		}
		log.Info("something else")
		time.Sleep(logWindow)
		synctest.Wait()
		text := out.String()
		require.Equal(t, logPerWindow, strings.Count(text, `msg="a bad message" n=`))
		require.Contains(t, text, "level=ERROR msg=\"a bad message … 312 more\"\n")
		require.Contains(t, text, "something else")

		out.Reset()
		log.Error("a bad message", "n", 0) // a new window
		require.NoError(t, l.Close())
		require.Equal(t, "level=ERROR msg=\"a bad message\" n=0\n", out.String())
	})
}

func TestLoggerSaysHowManyMoreWhenItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, l := NewLogger(&out, slog.LevelInfo, plain)
		for range logPerWindow + 1 {
			log.Info("x")
		}
		require.NoError(t, l.Close())
		require.Equal(t, strings.Repeat("level=INFO msg=x\n", logPerWindow)+"level=INFO msg=\"x … 1 more\"\n", out.String())
	})
}

func TestLoggerCountsAtMostSoManyTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, l := NewLogger(&out, slog.LevelInfo, plain)
		const over = logPerWindow + 5
		for i := range logTexts + over {
			log.Info(strings.Repeat("x", i+1))
			synctest.Wait() // so that the queue is not what limits
		}
		require.NoError(t, l.Close())
		require.Equal(t, logTexts+logPerWindow+1, strings.Count(out.String(), "\n"))
		require.Contains(t, out.String(), "… 5 more")
	})
}

// TestLoggerNeverWaits has a stderr that nobody reads.
func TestLoggerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		log, l := NewLogger(w, slog.LevelInfo, plain)
		began := time.Now()
		log.Info("blocks")
		synctest.Wait()
		for i := range logQueue + 7 {
			log.Info("text", "n", i)
		}
		require.Zero(t, time.Since(began), "logging took time")

		require.NoError(t, l.Close())
		require.Equal(t, closeTimeout, time.Since(began), "the end waits, but not for ever")

		text, read := "", make(chan struct{}) // at last somebody reads
		go func() {
			defer close(read)
			b, _ := io.ReadAll(r) // of a pipe that the test closes
			text = string(b)
		}()
		<-l.(*logger).over
		require.NoError(t, w.Close())
		<-read
		require.Contains(t, text, "log lines were dropped: stderr is not read fast enough\" dropped=7\n")
		require.Contains(t, text, "text … 1014 more")
	})
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLoggerSurvivesAClosedStderr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, l := NewLogger(failingWriter{}, slog.LevelInfo, plain)
		began := time.Now()
		log.Info("nobody hears this")
		require.NoError(t, l.Close())
		log.Info("nor this")
		require.Zero(t, time.Since(began))
	})
}

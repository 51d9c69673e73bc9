package cmd

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/stretchr/testify/require"
)

// seat is a person at a terminal on which jobline top runs.
type seat struct {
	t       *testing.T
	screen  *os.File // what the person types
	command *exec.Cmd
	raw     strings.Builder // all that was written; to be read when the command has ended
	ended   chan struct{}

	mu    sync.Mutex
	shows *vt.Emulator
}

// Write shows what the command writes.
func (s *seat) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(p)
	return s.shows.Write(p)
}

// text is what the person sees.
func (s *seat) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shows.String()
}

// atTop starts top at a terminal of 100 columns and 24 rows, which may be one that
// answers no query.
func atTop(t *testing.T, env []string, silent bool) *seat {
	t.Helper()
	screen, tty := openTerminal(t)
	s := &seat{t: t, screen: screen, shows: vt.NewEmulator(100, 24), ended: make(chan struct{})}
	s.command = exec.Command("jobline", "top")
	s.command.Stdin, s.command.Stdout, s.command.Stderr, s.command.Env = tty, tty, tty, env
	require.NoError(t, s.command.Start())
	require.NoError(t, tty.Close())
	answers := make(chan struct{})
	go func() { // what the terminal answers to queries; ends with the pipe of the emulator
		defer close(answers)
		to := io.Writer(screen)
		if silent {
			to = io.Discard
		}
		_, _ = io.Copy(to, s.shows)
	}()
	go func() { // ends with the command, which has the terminal
		defer close(s.ended)
		_, _ = io.Copy(s, screen)
	}()
	t.Cleanup(func() {
		_ = s.command.Process.Kill()
		<-s.ended
		require.NoError(t, s.shows.InputPipe().(io.Closer).Close()) // Close of the emulator races with its Read
		<-answers
	})
	return s
}

// types presses keys.
func (s *seat) types(keys string) {
	s.t.Helper()
	_, err := s.screen.WriteString(keys)
	require.NoError(s.t, err)
}

// sees waits until the screen shows a text.
func (s *seat) sees(text string) {
	s.t.Helper()
	s.awaits(func(shown string) bool { return strings.Contains(shown, text) }, text)
}

func (s *seat) awaits(done func(shown string) bool, what string) {
	s.t.Helper()
	for end := time.Now().Add(soon); !done(s.text()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(s.t, "the screen does not show "+what, "%s", s.text())
		}
	}
}

// code waits for the end of the command.
func (s *seat) code() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(soon):
		require.Fail(s.t, "top does not end", "%s", s.text())
	}
	_ = s.command.Wait() // the code says it
	return s.command.ProcessState.ExitCode()
}

// restored checks that the terminal is as it was before.
func (s *seat) restored() {
	s.t.Helper()
	raw := s.raw.String()
	for on, off := range map[string]string{
		"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h", "\x1b[?1002h": "\x1b[?1002l", "\x1b[?2004h": "\x1b[?2004l",
	} {
		require.Contains(s.t, raw, on)
		require.Greater(s.t, strings.LastIndex(raw, off), strings.LastIndex(raw, on), "%q is taken back", on)
	}
}

// TestTopAtATerminal looks at tasks that run, and does things to them.
func TestTopAtATerminal(t *testing.T) {
	env := sharedServer(t, "JOBLINE_LIMIT=2", "COLORTERM=", "TERM=xterm-256color")
	quiet(t, env, "submit", "-q", "sleep", "--set", "durationMs=600000")
	quiet(t, env, "submit", "-q", "--", "sh", "-c", `printf 'one\033[2J\033]0;title\007\ntwo\n'; echo wrong >&2; exec sleep 600`)
	quiet(t, env, "submit", "-q", "--label", "a=b", "--", "echo", "late")
	s := atTop(t, env, false)
	s.sees("RUNNING 2 of 2")
	s.sees("QUEUED 1")
	s.sees("all slots are taken")
	s.sees("sh -c 'printf")

	s.types("?")
	s.sees("cancel the task")
	s.types("x")
	s.sees("RUNNING 2 of 2")

	s.types("/late\r")
	s.sees("none that the filter wants")
	s.sees("filter late")
	s.types("\x1b") // Esc
	s.awaits(func(shown string) bool { return !strings.Contains(shown, "filter late") }, "no filter")

	s.types("j\r")
	s.sees("one^[[2J^[]0;title^G")
	s.sees("wrong")
	s.types("\x1b")
	s.awaits(func(shown string) bool { return !strings.Contains(shown, "attempt 1") }, "no task in detail")

	s.types("c")
	s.sees("Cancel ")
	s.types("n")
	s.awaits(func(shown string) bool { return !strings.Contains(shown, "y/n") }, "no question")
	s.types("c")
	s.sees("y/n")
	s.types("y")
	s.sees("cancelled")
	s.sees("1 cancelled")
	s.types("q")
	require.Zero(t, s.code())
	s.restored()
	require.NotContains(t, s.raw.String(), "\x1b]0;")
	require.NotContains(t, s.raw.String(), "\x1b]2;")
}

// TestTopSurvivesItsServer says that the server has gone, and goes on with the next.
func TestTopSurvivesItsServer(t *testing.T) {
	env := sharedServer(t, "NO_COLOR=1")
	s := atTop(t, env, true)
	s.sees("RUNNING 0")
	quiet(t, env, "shutdown")
	s.sees("the server has gone")
	quiet(t, env, "submit", "-q", "sleep", "--set", "durationMs=600000")
	s.sees("RUNNING 1")
	require.NoError(t, s.command.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 128+int(syscall.SIGTERM), s.code())
	s.restored()
	require.NotRegexp(t, `\x1b\[[0-9;]*[34][0-9][;m]`, s.raw.String(), "no colours")
}

// TestTopNeedsATerminal says what is missing, and exits with 2.
func TestTopNeedsATerminal(t *testing.T) {
	env := sharedServer(t)
	quiet(t, env, "stats")
	shown, code := atTerminal(t, append(env, "TERM=dumb"), "", "top")
	require.Equal(t, 2, code)
	require.Contains(t, shown, "TERM is dumb")
	require.NotContains(t, shown, "\x1b")
}

package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// sharedServer gives a test a server on a socket of its own, which the first command
// starts, and answers the environment of the commands.
func sharedServer(t *testing.T, variables ...string) []string {
	t.Helper()
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	require.NoError(t, os.Mkdir(run, 0o700))
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+run, "XDG_STATE_HOME="+filepath.Join(dir, "state"), "JOBLINE_IDLE=1m", "TERM=xterm")
	env = append(env, variables...)
	t.Cleanup(func() {
		c := exec.Command("jobline", "shutdown", "--mode", "cancel")
		c.Env = env
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return env
}

// atTerminal runs a command with all of its descriptors on a terminal at which a
// person types, and answers what it shows and its exit code.
func atTerminal(t *testing.T, env []string, typed string, args ...string) (shown string, code int) {
	t.Helper()
	v := view(t, env, args...)
	_, err := v.screen.WriteString(typed)
	require.NoError(t, err)
	return v.rest()
}

// viewed is a command with all of its descriptors on a terminal.
type viewed struct {
	*exec.Cmd
	t      *testing.T
	screen *os.File
	shown  []byte // that was read
}

func view(t *testing.T, env []string, args ...string) *viewed {
	t.Helper()
	screen, tty := openTerminal(t)
	v := &viewed{Cmd: exec.CommandContext(t.Context(), "jobline", args...), t: t, screen: screen}
	v.Stdin, v.Stdout, v.Stderr, v.Env = tty, tty, tty, env
	require.NoError(t, v.Start())
	require.NoError(t, tty.Close())
	return v
}

// until reads until a text was shown.
func (v *viewed) until(text string) {
	v.t.Helper()
	for piece := make([]byte, 4096); !bytes.Contains(v.shown, []byte(text)); {
		n, err := v.screen.Read(piece)
		require.NoError(v.t, err, "%q", v.shown)
		v.shown = append(v.shown, piece[:n]...)
	}
}

// rest reads to the end of the command, and answers all that it has shown and its exit
// code.
func (v *viewed) rest() (shown string, code int) {
	v.t.Helper()
	rest, err := io.ReadAll(v.screen)
	require.ErrorIs(v.t, err, unix.EIO, "which is how a terminal ends")
	_ = v.Wait() // the code says it
	return string(v.shown) + string(rest), v.ProcessState.ExitCode()
}

// quiet runs a command that must succeed, on pipes.
func quiet(t *testing.T, env []string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "jobline", args...)
	c.Env = env
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	require.NoError(t, err, "%s", errs.String())
	return string(out)
}

func TestCancelAsksAPerson(t *testing.T) {
	env := sharedServer(t, "JOBLINE_LIMIT=1")
	for range 2 {
		quiet(t, env, "submit", "-q", "--label", "a=b", "sleep", "--set", "durationMs=600000")
	}
	shown, code := atTerminal(t, env, "n\n", "cancel", "a=b")
	require.Contains(t, shown, "Cancel 2 tasks (")
	require.Contains(t, shown, "jobline: nothing was cancelled")
	require.Equal(t, 1, code)
	shown, code = atTerminal(t, env, "yes\n", "cancel", "a=b")
	require.Zero(t, code, shown)
	require.Equal(t, 2, strings.Count(shown, "cancelled\r\n")+strings.Count(shown, "is told to stop\r\n"), shown)
}

// TestOutputOfTasksMovesNothing: whatever a command writes, no command of the driver
// lets the terminal obey it.
func TestOutputOfTasksMovesNothing(t *testing.T) {
	env := sharedServer(t, "NO_COLOR=1")
	evil := "\x1b]0;title\a\u009bA\x1b[2J"
	quiet(t, env, "submit", "-q", "--label", "evil="+evil, "--", "sh", "-c", `printf '%s\n' "$1"; printf '%s' "$1" >&2; exit 1`, "sh", evil)
	atTerminal(t, env, "", "wait", "@last") // which ends with 1
	for _, args := range [][]string{
		{"list"}, {"status", "@last"}, {"logs", "@last"}, {"logs", "-f", "@last", "@last"}, {"list", "--json"}, {"status", "@last", "--json", "--input"}, {"logs", "@last", "--json"},
	} {
		shown, code := atTerminal(t, env, "", args...)
		require.Zero(t, code)
		require.NotContains(t, shown, "\x1b", args)
		require.NotContains(t, shown, "\u009b", args)
	}
}

// TestWaitAtATerminal draws bars in place, and none on a dumb terminal.
func TestWaitAtATerminal(t *testing.T) {
	env := sharedServer(t)
	drawn := filepath.Join(t.TempDir(), "drawn")
	submit := []string{"submit", "--wait", "-q", "--", "sh", "-c", "until test -f '" + drawn + "'; do sleep 0.01; done; exit 3"}
	terminal := view(t, env, submit...)
	terminal.until(clearLine + "[........................] 0/1 ended, ")
	require.NoError(t, os.WriteFile(drawn, nil, 0o600))
	shown, code := terminal.rest()
	require.Equal(t, exitSomeFailed, code)
	v := newVirtualTerminal(100, 5)
	_, err := v.Write([]byte(shown))
	require.NoError(t, err)
	require.Regexp(t, `^jobline: exec failed: sh exited with code 3 \([0-9a-f-]{36}\)\n$`, v.text(), "the bars are gone")

	shown, code = atTerminal(t, append(env, "TERM=dumb"), "", submit...)
	require.Equal(t, exitSomeFailed, code)
	require.NotContains(t, shown, "\x1b")
	require.Equal(t, 1, strings.Count(shown, "\n"))
}

// TestListAtATerminal has colours where a person wants them, and no line that breaks.
func TestListAtATerminal(t *testing.T) {
	env := sharedServer(t)
	quiet(t, env, "submit", "--wait", "-q", "--", "true", strings.Repeat("long ", 100))
	shown, _ := atTerminal(t, env, "", "list")
	require.Contains(t, shown, "\x1b[32mcompleted\x1b[0m")
	shown, _ = atTerminal(t, append(env, "NO_COLOR=1"), "", "list")
	require.NotContains(t, shown, "\x1b")
	for line := range strings.Lines(shown) {
		require.LessOrEqual(t, show.Columns(strings.TrimRight(line, "\r\n")), 100)
	}
	require.Contains(t, shown, "…")
}

// TestWatchAtATerminal draws the tasks anew until they have ended.
func TestWatchAtATerminal(t *testing.T) {
	env := sharedServer(t)
	drawn := filepath.Join(t.TempDir(), "drawn")
	quiet(t, env, "submit", "-q", "--", "sh", "-c", "until test -f '"+drawn+"'; do sleep 0.01; done")
	terminal := view(t, env, "status", "--watch", "@last")
	terminal.until("running")
	require.NoError(t, os.WriteFile(drawn, nil, 0o600))
	shown, code := terminal.rest()
	require.Zero(t, code)
	v := newVirtualTerminal(100, 20)
	_, err := v.Write([]byte(shown))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(v.text(), "state "), v.text())
	require.Contains(t, v.text(), "state      completed")
}

// TestSubmitHearsOfTheEnd: a submit whose input stays open ends with its server.
func TestSubmitHearsOfTheEnd(t *testing.T) {
	env := sharedServer(t)
	c := exec.CommandContext(t.Context(), "jobline", "submit", "--each", "true")
	c.Env = env
	in, err := c.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	var errs bytes.Buffer
	c.Stderr = &errs
	require.NoError(t, c.Start())
	_, err = io.WriteString(in, "one\n")
	require.NoError(t, err)
	id := make([]byte, 37)
	_, err = io.ReadFull(out, id)
	require.NoError(t, err, "a line that has come is submitted before the next one is there")
	quiet(t, env, "shutdown", "--mode", "cancel")
	_, err = io.ReadAll(out)
	require.NoError(t, err)
	require.Error(t, c.Wait())
	require.Equal(t, 1, c.ProcessState.ExitCode(), errs.String())
	require.Equal(t, 1, strings.Count(errs.String(), "\n"), errs.String())
}

func TestAListThatIsWatchedKeepsItsLimit(t *testing.T) {
	env := sharedServer(t)
	for _, end := range []string{"aa", "ab"} {
		quiet(t, env, "submit", "-q", "--wait", "--id", "01800000-0000-7000-8000-0000000000"+end, "noop")
	}
	v := view(t, env, "list", "--watch", "--limit", "1")
	v.until("000000ab")
	require.NoError(t, v.Process.Signal(os.Interrupt))
	shown, code := v.rest()
	require.Equal(t, 130, code)
	require.NotContains(t, shown, "000000aa")
}

// TestInterruptsEndTheWait, and not the tasks.
func TestInterruptsEndTheWait(t *testing.T) {
	env := sharedServer(t)
	quiet(t, env, "submit", "-q", "--id", "01800000-0000-7000-8000-0000000000aa", "sleep", "--set", "durationMs=600000")
	connections := countConnections(t, env)
	for _, args := range [][]string{
		{"wait", "@last"}, {"logs", "-f", "@last"}, {"list", "--watch"}, {"status", "--watch", "@last"},
		{"submit", "--wait", "-q", "--id", "01800000-0000-7000-8000-0000000000aa", "sleep", "--set", "durationMs=600000"},
	} {
		c := exec.CommandContext(t.Context(), "jobline", args...)
		c.Env = env
		connections(1) // that of the command before has ended
		require.NoError(t, c.Start())
		connections(2)
		require.NoError(t, c.Process.Signal(os.Interrupt))
		require.Error(t, c.Wait())
		require.Equal(t, 130, c.ProcessState.ExitCode(), args)
	}
	require.Contains(t, quiet(t, env, "status", "@last", "--json"), `"state":"running"`)
}

// TestAnInterruptOfManySubmits: each task that is in the queue is told of.
func TestAnInterruptOfManySubmits(t *testing.T) {
	env := sharedServer(t)
	c := exec.CommandContext(t.Context(), "jobline", "submit", "--each", "sleep 600")
	c.Env = env
	lines, w, err := os.Pipe()
	require.NoError(t, err)
	c.Stdin = lines
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	var errs strings.Builder
	c.Stderr = &errs
	require.NoError(t, c.Start())
	require.NoError(t, lines.Close())
	go func() { // until nobody reads
		defer w.Close()
		for err := error(nil); err == nil; {
			_, err = w.WriteString(strings.Repeat("x\n", 1000))
		}
	}()
	r := bufio.NewReader(out)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Error(t, c.Wait())
	require.Equal(t, 130, c.ProcessState.ExitCode())
	told := 1 + bytes.Count(rest, []byte("\n"))
	require.Regexp(t, fmt.Sprintf(`^jobline: interrupted: %d tasks? submitted\n$`, told), errs.String())
	var stats schema.StatsResult
	require.NoError(t, json.Unmarshal([]byte(quiet(t, env, "stats", "--json")), &stats))
	require.EqualValues(t, told, stats.Totals.Submitted)
}

// countConnections answers what waits until the server has so many connections. It asks
// on one of its own, which is counted.
func countConnections(t *testing.T, env []string) (wait func(n int)) {
	t.Helper()
	asks := exec.Command("jobline", "attach")
	asks.Env = env
	in, err := asks.StdinPipe()
	require.NoError(t, err)
	out, err := asks.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, asks.Start())
	t.Cleanup(func() {
		require.NoError(t, in.Close())
		require.NoError(t, asks.Wait())
	})
	answers := bufio.NewReader(out)
	return func(n int) {
		t.Helper()
		stats, want := "", fmt.Sprintf(`"connections":%d`, n)
		for end := time.Now().Add(soon); !strings.Contains(stats, want); time.Sleep(10 * time.Millisecond) {
			require.True(t, time.Now().Before(end), "%s", stats)
			_, err := io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"stats"}`+"\n")
			require.NoError(t, err)
			stats, err = answers.ReadString('\n')
			require.NoError(t, err)
		}
	}
}

// TestListWatchOnAPipe prints each change of the selected tasks as an object in a line.
func TestListWatchOnAPipe(t *testing.T) {
	env := sharedServer(t)
	quiet(t, env, "submit", "--wait", "-q", "--label", "a=b", "noop")
	c := exec.CommandContext(t.Context(), "jobline", "list", "--watch", "--json", "--label", "a=b", "--state", "completed")
	c.Env = env
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n') // which comes after the subscription
	require.NoError(t, err)
	require.Contains(t, line, `"state":"completed"`)
	quiet(t, env, "submit", "--wait", "-q", "noop")
	quiet(t, env, "submit", "--wait", "-q", "--label", "a=b", "sleep", "--set", "durationMs=1")
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Regexp(t, `^\{"id":"[0-9a-f-]+","type":"sleep","state":"completed"`, line)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	require.Error(t, c.Wait())
}

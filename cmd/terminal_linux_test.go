package cmd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to tty is read from screen.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	raw, err := screen.SyscallConn()
	require.NoError(t, err)
	var number int
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.NoError(t, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		require.NoError(t, err)
		require.NoError(t, unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	}))
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return screen, tty
}

// shown is all that a program writes to a terminal as its stderr, and to
// stdout where that is the terminal, too.
func shown(t *testing.T, both bool, args ...string) string {
	t.Helper()
	screen, tty := openTerminal(t)
	c := exec.CommandContext(t.Context(), "jobline", args...)
	c.Stderr, c.Env = tty, append(os.Environ(), "TERM=xterm")
	if both {
		c.Stdout = tty
	}
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	text, err := io.ReadAll(screen)
	require.ErrorIs(t, err, unix.EIO, "which is how a terminal ends")
	require.NoError(t, c.Wait())
	return string(text)
}

func TestATerminalShowsABar(t *testing.T) {
	text := shown(t, false, "run", "squirrel", "--set", "durationMs=1")
	require.Contains(t, text, clearLine+"["+strings.Repeat(".", barCells)+"] squirrel: 0% 0/1 ms watching the trees")
	require.True(t, strings.HasSuffix(text, clearLine), "%q", text)
}

func TestATerminalObeysNothingOfATask(t *testing.T) {
	evil := []string{"--", "printf", `\033]0;title\007\302\233A`}
	text := shown(t, false, append([]string{"run", "-q", "exec"}, evil...)...)
	require.Contains(t, text, `^[]0;title^G\u009bA`)
	require.NotContains(t, text, "\x1b")
	text = shown(t, true, append([]string{"run", "-q", "-o", "exec"}, evil...)...)
	require.Equal(t, `^[]0;title^G\u009bA`, text)
}

func TestServeAtATerminalSaysWhatItWaitsFor(t *testing.T) {
	saysWhatItWaitsFor(t, "serve")
	daemonHome(t)
	saysWhatItWaitsFor(t, "attach")
}

func saysWhatItWaitsFor(t *testing.T, command string) {
	t.Helper()
	screen, tty := openTerminal(t)
	c := exec.CommandContext(t.Context(), "jobline", command)
	c.Stdin, c.Stderr = tty, tty
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	line, err := bufio.NewReader(screen).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "jobline: waiting for JSON-RPC requests on stdin")
	_, err = screen.WriteString(`{"jsonrpc":"2.0","id":1,"method":"stats"}` + "\n\x04") // Ctrl-D
	require.NoError(t, err)
	reply, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Contains(t, string(reply), `"id":1,"result"`)
	require.NoError(t, tty.Close())
	require.NoError(t, c.Wait())
}

func TestLogsAtATerminalSayWhyThereAreNone(t *testing.T) {
	daemonHome(t)
	require.NoError(t, exec.Command("jobline", "submit", "-q", "--", "no-such-program").Run())
	_ = exec.Command("jobline", "wait", "@last").Run() // with the task's code
	require.Equal(t, "jobline: nothing was written; exec failed: \"no-such-program\" is not in PATH: install it, or give its absolute path\r\n",
		shown(t, true, "logs", "@last"))
	require.NoError(t, exec.Command("jobline", "submit", "-q", "--", "true").Run())
	require.NoError(t, exec.Command("jobline", "wait", "@last").Run())
	require.Empty(t, shown(t, true, "logs", "@last"))
}

// TestLogsThatFollowTellOfAFailure, which is in no output, and only to a person.
func TestLogsThatFollowTellOfAFailure(t *testing.T) {
	daemonHome(t)
	require.NoError(t, exec.Command("jobline", "submit", "-q", "--", "sh", "-c", "echo begun; exit 3").Run())
	_ = exec.Command("jobline", "wait", "@last").Run() // with the task's code
	require.Equal(t, "begun\r\njobline: exec failed: sh exited with code 3\r\n", shown(t, true, "logs", "-f", "@last"))
	require.Equal(t, "begun\r\n", shown(t, true, "logs", "@last"))
	out, err := exec.Command("jobline", "logs", "-f", "@last").CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "begun\n", string(out))
	require.NoError(t, exec.Command("jobline", "submit", "-q", "--", "sh", "-c", "sleep 0.2; echo late; exit 4").Run())
	require.Equal(t, "late\r\njobline: exec failed: sh exited with code 4\r\n", shown(t, true, "logs", "-f", "@last"))
}

// TestListFitsTheTerminal: the newest tasks stand first, and none of them scrolls away.
func TestListFitsTheTerminal(t *testing.T) {
	daemonHome(t)
	submit := exec.Command("jobline", "submit", "-q", "--wait")
	submit.Stdin = strings.NewReader(strings.Repeat(`{"type":"noop"}`+"\n", 30))
	require.NoError(t, submit.Run())
	require.Equal(t, 1+21+1, strings.Count(shown(t, true, "list"), "\n"), "a terminal of 24 lines")
	require.Contains(t, shown(t, true, "list"), "\njobline: there are more; --limit shows them\r\n")
	require.Equal(t, 1+30, strings.Count(shown(t, true, "list", "--limit", "30"), "\n"))
	require.Equal(t, 30, strings.Count(shown(t, true, "list", "--json"), "\n"))
	out, err := exec.Command("jobline", "list").Output()
	require.NoError(t, err)
	require.Equal(t, 1+30, strings.Count(string(out), "\n"), "which is no terminal")
	require.Contains(t, shown(t, true, "list", "--owner", "nobody"), `no client "nobody" has submitted a task; those that have are jobline`)
}

// TestACommandHasNoTerminal: what asks a question on the terminal is told that
// there is none. In a session that has one it would be stopped for ever.
func TestACommandHasNoTerminal(t *testing.T) {
	screen, tty := openTerminal(t)
	c := exec.CommandContext(t.Context(), "jobline", "run", "exec", "--", "sh", "-c", "read answer </dev/tty")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	text, err := io.ReadAll(screen)
	require.ErrorIs(t, err, unix.EIO, "which is how a terminal ends")
	require.Error(t, c.Wait())
	require.Contains(t, string(text), "/dev/tty: No such device or address")
}

// TestRunWithoutAReader has a stdout that nobody reads any more: run ends as
// programs do then, and takes the task with it.
func TestRunWithoutAReader(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	gone, told, err := os.Pipe() // the command holds the end that is written to
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), "jobline", "run", "-o", "exec", "--", "sh", "-c",
		fmt.Sprintf("exec 9>/proc/%d/fd/%d; while :; do echo line; done", os.Getpid(), told.Fd()))
	c.Stdout = w
	require.NoError(t, c.Start())
	require.NoError(t, w.Close())
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, told.Close())
	require.NoError(t, r.Close())
	require.Error(t, c.Wait())
	_, err = gone.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the command has ended")
}

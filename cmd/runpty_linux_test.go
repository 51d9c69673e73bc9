package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// window is a terminal with a program in it, as a person has one.
type window struct {
	*exec.Cmd
	t           *testing.T
	screen, tty *os.File
	before      unix.Termios

	mu   sync.Mutex
	text strings.Builder
}

// openWindow runs jobline in a terminal, in the foreground.
func openWindow(t *testing.T, env []string, args ...string) *window {
	t.Helper()
	w := &window{t: t, Cmd: exec.CommandContext(t.Context(), "jobline", args...)}
	w.screen, w.tty = openTerminal(t)
	t.Cleanup(func() { _ = w.tty.Close() })
	w.before = w.termios()
	w.Stdin, w.Stdout, w.Stderr = w.tty, w.tty, w.tty
	w.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	w.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, w.Start())
	go func() { // ends with the terminal
		for buffer := make([]byte, 4096); ; {
			n, err := w.screen.Read(buffer)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.text.Write(buffer[:n])
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *window) termios() unix.Termios {
	w.t.Helper()
	settings, err := unix.IoctlGetTermios(int(w.tty.Fd()), unix.TCGETS)
	require.NoError(w.t, err)
	return *settings
}

func (w *window) shown() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *window) shows(text string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return strings.Contains(w.shown(), text) }, soon, time.Millisecond, "%q", text)
}

func (w *window) types(keys string) {
	w.t.Helper()
	_, err := w.screen.WriteString(keys)
	require.NoError(w.t, err)
}

// ends waits for the end of the program. The terminal is then as it was before.
func (w *window) ends(code int) {
	w.t.Helper()
	_ = w.Wait() // its error is the exit code
	require.Equal(w.t, code, w.ProcessState.ExitCode(), w.shown())
	require.Equal(w.t, w.before, w.termios())
}

// eachServer tests with a server of run's own, and with the one that others share.
func eachServer(t *testing.T, test func(t *testing.T, env []string, flags ...string)) {
	t.Run("own", func(t *testing.T) { test(t, nil, "run", "--pty") })
	t.Run("daemon", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "run") // a short path, for the socket
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		env := []string{"XDG_RUNTIME_DIR=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "JOBLINE_IDLE=1m"}
		t.Cleanup(func() {
			end := exec.Command("jobline", "shutdown")
			end.Env = append(os.Environ(), env...)
			_ = end.Run() // it may have been killed
		})
		test(t, env, "run", "--daemon", "--pty")
	})
}

// TestRunInATerminal: the command has a terminal of the size of the window, gets each
// key as it is typed, and is told when the window changes. A trapped signal ends a read
// of some shells, so the command reads again.
func TestRunInATerminal(t *testing.T) {
	eachServer(t, func(t *testing.T, env []string, flags ...string) {
		w := openWindow(t, env, append(flags, "--", "sh", "-c", `trap 'stty size' WINCH; stty size; stty raw -echo; printf 'key %s\r\n' "$(head -c 1)"; stty -raw echo; echo cooked; cat; while :; do read -r l && echo "line $l"; done`)...)
		w.shows("24 100\r\n")
		w.types("x")
		w.shows("key x\r\n")
		w.shows("cooked\r\n")
		require.NotEqual(t, w.before, w.termios(), "it is in raw mode")
		w.types("one\n")
		w.shows("one\r\none\r\n")
		w.types("\x04") // Ctrl-D ends cat, and not the shell
		require.NoError(t, unix.IoctlSetWinsize(int(w.screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 70}))
		w.types("two\n")
		w.shows("line two")
		w.shows("30 70\r\n")
		w.types("\x03")
		w.ends(130)
		w.shows("exec failed: sh ")
	})
}

// TestRunInATerminalIsInterrupted: a signal to run itself ends the command and takes
// the terminal out of raw mode.
func TestRunInATerminalIsInterrupted(t *testing.T) {
	eachServer(t, func(t *testing.T, env []string, flags ...string) {
		w := openWindow(t, env, append(flags, "--", "sh", "-c", `trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)...)
		w.shows("ready")
		require.NoError(t, w.Process.Signal(syscall.SIGTERM))
		w.shows("bye")
		w.ends(143)
	})
}

// TestRunInATerminalLosesItsServer: where the server is killed the command dies, run
// says so, and the terminal is as before.
func TestRunInATerminalLosesItsServer(t *testing.T) {
	eachServer(t, func(t *testing.T, env []string, flags ...string) {
		w := openWindow(t, env, append(flags, "--set", "env.MARK="+canary, "--", "sh", "-c", `sleep 1000 & setsid sleep 1000 & echo "parent $PPID."; sleep 1000`)...)
		w.shows(".\r\n")
		_, rest, _ := strings.Cut(w.shown(), "parent ")
		pid, err := strconv.Atoi(rest[:strings.Index(rest, ".")])
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		w.ends(1)
		nobodyHasCanary(t)
	})
}

// TestRunIsKilled: the task ends with run, however that ends.
func TestRunIsKilled(t *testing.T) {
	eachServer(t, func(t *testing.T, env []string, flags ...string) {
		w := openWindow(t, env, append(flags, "--set", "env.MARK="+canary, "--", "sh", "-c", `echo ready; sleep 1000`)...)
		w.shows("ready")
		require.NoError(t, w.Process.Kill())
		_ = w.Wait() // its error is the signal
		nobodyHasCanary(t)
	})
}

// TestKilledServerOfATerminal: nothing of a command in a terminal outlives its server.
func TestKilledServerOfATerminal(t *testing.T) {
	p := start(t, "serve")
	fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"id":"%s","type":"exec","events":["output"],"input":{"pty":true,"openStdin":true,`+
		`"argv":["sh","-c","set -m; trap '' HUP TERM; sleep 1000 & setsid sleep 1000 & echo ready; sleep 1000"],"env":{"MARK":"%s"}}}}`+"\n", uuid.New(), canary)
	p.until(t, "ready")
	require.NotEmpty(t, withText(t, canary))
	require.NoError(t, p.Process.Kill())
	_ = p.Wait() // its error is the signal
	nobodyHasCanary(t)
}

// nobodyHasCanary waits until no process has the canary, but for those on their way
// out, which show no environment.
func nobodyHasCanary(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(withText(t, "MARK="+canary)) == 0 }, soon, 10*time.Millisecond)
}

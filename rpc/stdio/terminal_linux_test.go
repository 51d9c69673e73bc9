package stdio

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// openTerminal opens a pseudo-terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return master, terminal
}

// A terminal as stdin: lines are read as they are typed, and ^D is the end.
func TestTerminal(t *testing.T) {
	master, terminal := openTerminal(t)
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stdin = terminal })
	require.NoError(t, terminal.Close())
	p.in = master
	p.submit("noop", "")
	p.until(schema.NotifyFinished)
	p.send("\x04")
	_, code := p.end()
	require.Zero(t, code)
}

// Ctrl-C in a terminal reaches the driver and its server at once: what becomes
// of the tasks is for the driver to say.
func TestInterruptOfTheTerminal(t *testing.T) {
	for behaviour, want := range map[string][]string{
		// Of the server nothing is heard then but why it has ended.
		"exits":                         {"ended by a"},
		"asks for the end of what runs": {`driver: "state":"completed"`, "driver: exit code 0"},
		"goes on":                       {`driver: "state":"completed"`, "driver: exit code 0"},
		"does nothing":                  {`driver: "state":"cancelled"`, "driver: exit code 130"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			master, lines := startDriver(t, behaviour)
			lines.until(t, "driver: task/started")
			time.Sleep(2 * SameSignal) // or the submit could be an answer to it
			_, err := master.WriteString("\x03")
			require.NoError(t, err)
			for _, text := range want {
				lines.until(t, text)
			}
		})
	}
}

// Ctrl-C for the second time is for the server, too.
func TestInterruptOfTheTerminalTwice(t *testing.T) {
	t.Parallel()
	master, lines := startDriver(t, "does nothing")
	lines.until(t, "driver: task/started")
	time.Sleep(2 * SameSignal) // or the submit could be an answer to it
	_, err := master.WriteString("\x03")
	require.NoError(t, err)
	lines.until(t, "left to the program that sends requests")
	time.Sleep(SameSignal)
	_, err = master.WriteString("\x03")
	require.NoError(t, err)
	lines.until(t, `driver: "state":"cancelled"`)
	lines.until(t, "driver: exit code 130")
}

// terminalLines is what a terminal shows.
type terminalLines struct{ *bufio.Reader }

func (l terminalLines) until(t *testing.T, text string) {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := l.ReadString('\n')
		seen.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		require.NoError(t, err, "before %q there was:\n%s", text, &seen)
	}
}

// startDriver starts a driver in a session of its own, in the foreground of a
// terminal.
func startDriver(t *testing.T, behaviour string) (*os.File, terminalLines) {
	master, terminal := openTerminal(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), modeVariable+"=driver", driverVariable+"="+behaviour, "GORACE=atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, terminal.Close())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return master, terminalLines{bufio.NewReader(master)}
}

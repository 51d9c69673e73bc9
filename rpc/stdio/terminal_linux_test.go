package stdio

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
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

// driverVariable says what a driver does when Ctrl-C comes.
const driverVariable = "JOBLINE_TEST_DRIVER"

// driver is a program in a terminal that spawns a server, as most do it, and
// tells on stdout what it hears of its task, and how the server has ended.
func driver(onInterrupt string) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGHUP)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), modeVariable+"=main"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		panic(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			for _, sign := range []string{"task/started", `"state":"completed"`, `"state":"cancelled"`} {
				if strings.Contains(lines.Text(), sign) {
					fmt.Println("driver:", sign)
				}
			}
		}
	}()
	say := func(text string) { _, _ = io.WriteString(in, text+"\n") } // a server that has ended reads nothing
	duration := 2 * driverMoment
	if onInterrupt == "exits" || onInterrupt == "does nothing" {
		duration = time.Hour
	}
	say(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","input":{"durationMs":%d}}}`, duration.Milliseconds()))
	<-interrupts
	switch onInterrupt {
	case "exits":
		os.Exit(0)
	case "asks for the end of what runs":
		say(`{"jsonrpc":"2.0","id":2,"method":"shutdown","params":{"mode":"finish"}}`)
		_ = in.Close()
	case "goes on":
		say(`{"jsonrpc":"2.0","id":2,"method":"stats"}`)
		time.Sleep(driverMoment + OneWish) // the signal is dropped meanwhile
		say(`{"jsonrpc":"2.0","id":3,"method":"shutdown"}`)
	case "does nothing":
	}
	<-heard
	_ = cmd.Wait() // its error is the code
	fmt.Println("driver: exit code", cmd.ProcessState.ExitCode())
}

// Ctrl-C in a terminal reaches the driver and its server at once: what becomes
// of the tasks is for the driver to say.
func TestInterruptOfTheTerminal(t *testing.T) {
	for behaviour, want := range map[string][]string{
		// Of the server nothing is heard then but why it has ended.
		"exits":                         {"ended by a"},
		"asks for the end of what runs": {`driver: "state":"completed"`, "driver: exit code 0"},
		"goes on":                       {`driver: "state":"completed"`, "driver: exit code 0"},
		"does nothing":                  {`driver: "state":"cancelled"`, "ended by a signal", "driver: exit code 130"},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			master, lines := startDriver(t, behaviour)
			lines.until(t, "driver: task/started")
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
	_, err := master.WriteString("\x03")
	require.NoError(t, err)
	lines.until(t, "left to the program that sends requests")
	time.Sleep(OneWish)
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

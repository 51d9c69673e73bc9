//go:build unix

package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	taskexec "github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/stdio"
)

// The tests may run where SIGINT and SIGHUP are ignored, as nohup does it, and shells do
// for what runs in the background. The programs that they start have the default.
func init() { beforeTests = taskexec.PassOnNoIgnoredSignal }

// program is a running jobline, with the pipes of a test.
type program struct {
	*exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	lines *bufio.Scanner
	// stderr is what it has written there, once exit has answered.
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.CommandContext(t.Context(), "jobline", args...)}
	var err error
	p.in, err = p.StdinPipe()
	require.NoError(t, err)
	p.out, err = p.StdoutPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(p.out)
	p.Stderr = io.MultiWriter(&p.stderr, t.Output())
	require.NoError(t, p.Start())
	return p
}

// until reads lines of stdout up to one that has a text in it, and answers them.
func (p *program) until(t *testing.T, text string) string {
	t.Helper()
	var all strings.Builder
	for p.lines.Scan() {
		fmt.Fprintln(&all, p.lines.Text())
		if text != "" && strings.Contains(p.lines.Text(), text) {
			return all.String()
		}
	}
	require.NoError(t, p.lines.Err())
	require.Empty(t, text, "stdout ended before it:\n%s", all.String())
	return all.String()
}

// exit reads the rest of stdout and answers it with the exit code.
func (p *program) exit(t *testing.T) (rest string, code int) {
	t.Helper()
	rest = p.until(t, "")
	_ = p.Wait() // its error is the exit code
	return rest, p.ProcessState.ExitCode()
}

const submitSleep = `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","input":{"argv":["sleep","86400"]},"graceMs":60000}}`

func TestASignalCancelsAndEndsTheServer(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			p := start(t, "serve")
			fmt.Fprintln(p.in, submitSleep)
			p.until(t, "task/started")
			require.NoError(t, p.Process.Signal(s))
			rest, code := p.exit(t)
			require.Contains(t, rest, `"state":"cancelled"`)
			require.Equal(t, 128+int(s), code)
		})
	}
}

func TestASecondSignalDoesNotWaitForTheGrace(t *testing.T) {
	p := start(t, "serve")
	stubborn := `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","events":["output","finished"],` +
		`"input":{"argv":["sh","-c","trap 'echo told' TERM; echo ready; while :; do sleep 0.01; done"]}}}`
	fmt.Fprintln(p.in, stubborn)
	p.until(t, `ready\n`)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	p.until(t, `told\n`)
	time.Sleep(stdio.SameSignal) // or it is the same wish
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	_, code := p.exit(t)
	require.Equal(t, 128+int(syscall.SIGTERM), code)
}

func TestInterruptedRun(t *testing.T) {
	for _, c := range []struct {
		signal  syscall.Signal
		command string
		more    int // signals that are needed after the first
		code    int
	}{
		{syscall.SIGINT, "echo ready; exec sleep 86400", 0, 130},
		{syscall.SIGTERM, "echo ready; exec sleep 86400", 0, 143},
		{syscall.SIGINT, "trap 'echo told' INT TERM; echo ready; while :; do sleep 0.01; done", 1, 130},
		{syscall.SIGINT, "trap 'echo told; exit 0' TERM; echo ready; while :; do sleep 0.01; done", 0, 130},
	} {
		t.Run(fmt.Sprint(c.signal, c.more), func(t *testing.T) {
			p := start(t, "run", "-o", "exec", "--grace=24h", "--", "sh", "-c", c.command)
			p.until(t, "ready")
			require.NoError(t, p.Process.Signal(c.signal))
			if c.more > 0 { // the first one was heard
				p.until(t, "told")
				time.Sleep(stdio.SameSignal) // or it is the same wish
				require.NoError(t, p.Process.Signal(c.signal))
			}
			_, code := p.exit(t)
			require.Equal(t, c.code, code)
		})
	}
}

// timeout(1) signals its child, and then its child's group: that is one wish,
// and the command has its grace to clean up.
func TestRunIsSignalledTwiceAtOnce(t *testing.T) {
	p := start(t, "run", "-o", "exec", "--grace=24h", "--", "sh", "-c",
		"trap 'sleep 0.3; echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
	p.until(t, "ready")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.Process.Signal(syscall.SIGINT)) // the same one might not come twice
	rest, _ := p.exit(t)
	require.Equal(t, "cleaned\n", rest)
}

// What nohup keeps from a program is kept from run, too.
func TestRunKeepsASignalIgnored(t *testing.T) {
	p := &program{Cmd: exec.CommandContext(t.Context(), "nohup", "jobline", "run", "-o", "exec", "--", "sh", "-c", "echo ready; sleep 0.3; echo done")}
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(out)
	require.NoError(t, p.Start())
	p.until(t, "ready")
	require.NoError(t, p.Process.Signal(syscall.SIGHUP))
	rest, code := p.exit(t)
	require.Equal(t, "done\n", rest)
	require.Zero(t, code)
}

func TestStderrThatIsClosedOrFull(t *testing.T) {
	bad := strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","input":{"argv":["true"]}}}`+"\n", 50)
	for name, closed := range map[string]bool{"closed": true, "full": false} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			if closed {
				require.NoError(t, r.Close())
			} else {
				fill(t, w)
			}
			c := exec.CommandContext(t.Context(), "jobline", "serve", "--log-level=debug")
			c.Stdin, c.Stderr = strings.NewReader(bad), w
			out, err := c.Output()
			require.NoError(t, err, "exit 0")
			require.Equal(t, 50, strings.Count(string(out), `"state":"completed"`))
			require.NoError(t, w.Close())
		})
	}
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	require.NoError(t, err)
	piece := make([]byte, 4096)
	require.NoError(t, raw.Write(func(fd uintptr) bool {
		for {
			if _, err := syscall.Write(int(fd), piece); err == syscall.EAGAIN {
				return true
			}
		}
	}))
}

// TestRunWithoutAServer has a server that is killed while the task runs.
func TestRunWithoutAServer(t *testing.T) {
	p := start(t, "run", "-o", "exec", "--grace=24h", "--", "sh", "-c", "kill -KILL $PPID; sleep 86400")
	_, code := p.exit(t)
	require.Equal(t, stdio.ExitFault, code)
}

//go:build unix

package stdio

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// The reader of stdout goes while nothing is to be written: the server ends,
// with its tasks, and without the end of stdin.
func TestReaderGoneWhileIdle(t *testing.T) {
	p := start(t, "main")
	p.submit("sleep", longSleep)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.out.Close())
	require.Equal(t, ExitFault, p.exit())
}

func TestReaderGoneWhileWriting(t *testing.T) {
	p := start(t, "main")
	p.submit("flood", `,"events":["output"]`)
	p.until(schema.NotifyOutput)
	require.NoError(t, p.out.Close())
	require.Equal(t, ExitFault, p.exit())
}

// A server whose store has failed ends with its tasks, and says why.
func TestStoreFails(t *testing.T) {
	var stderr bytes.Buffer
	p := start(t, "serve", func(cmd *exec.Cmd) { cmd.Stderr = &stderr })
	p.submit("loseStore", "")
	p.until(schema.NotifyFinished)
	require.Equal(t, ExitFault, p.exit())
	require.Contains(t, stderr.String(), `msg="ended by a fault" error="the store has no more nuts"`)
}

// A server whose parent was killed ends, though stdin and stdout are open.
func TestParentIsKilled(t *testing.T) {
	p := start(t, "parent")
	p.submit("sleep", longSleep)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.cmd.Process.Kill())
	require.Equal(t, "cancelled", p.until(schema.NotifyFinished).Params.State)
	_, err := p.next()
	require.ErrorIs(t, err, io.EOF, "the server holds stdout")
}

// Nobody reads stderr, and it has much to say.
func TestStderrIsFull(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stderr = write })
	require.NoError(t, write.Close())
	const panics = 300
	go func() {
		for range panics {
			p.submit("panic", `,"events":["finished"]`)
		}
		p.submit("noop", `,"events":["finished"]`)
		p.in.Close()
	}()
	finished := 0
	for finished <= panics {
		m, err := p.next()
		require.NoError(t, err)
		if m.Method == schema.NotifyFinished {
			finished++
		}
	}
	state, code := p.end()
	require.Empty(t, state)
	require.Zero(t, code)
}

func TestStderrIsClosed(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, read.Close())
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stderr = write })
	require.NoError(t, write.Close())
	p.submit("panic", "")
	p.until(schema.NotifyFinished)
	p.submit("shout", "")
	p.until(schema.NotifyFinished)
	p.submit("noop", "")
	require.NoError(t, p.in.Close())
	state, code := p.end()
	require.Equal(t, "completed", state)
	require.Zero(t, code)
}

// What code prints to os.Stdout goes to stderr: stdout is the protocol's.
func TestPrintingDoesNotCorrupt(t *testing.T) {
	var stderr bytes.Buffer
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stderr = &stderr })
	p.submit("shout", "")
	require.NoError(t, p.in.Close())
	state, code := p.end()
	require.Equal(t, "completed", state)
	require.Zero(t, code)
	require.Contains(t, stderr.String(), "this is no message\n") // among the log
}

// The machine sleeps and wakes.
func TestStopAndContinue(t *testing.T) {
	p := start(t, "main")
	p.submit("sleep", `,"input":{"durationMs":20},"timeoutMs":600000`)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	var status unix.WaitStatus
	_, err := unix.Wait4(p.cmd.Process.Pid, &status, unix.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
	require.Equal(t, "completed", p.until(schema.NotifyFinished).Params.State)
	require.NoError(t, p.in.Close())
	_, code := p.end()
	require.Zero(t, code)
}

// A file as stdin, as in a shell's redirection.
func TestStdinIsFile(t *testing.T) {
	name := t.TempDir() + "/requests"
	require.NoError(t, os.WriteFile(name, []byte(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop"}}`), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stdin = file })
	state, code := p.end()
	require.Equal(t, "completed", state)
	require.Zero(t, code)
}

// A file as stdout: all is in it when the server has ended.
func TestStdoutIsFile(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/replies")
	require.NoError(t, err)
	defer file.Close()
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stdout = file })
	p.submit("noop", "")
	require.NoError(t, p.in.Close())
	require.Zero(t, p.exit())
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(text), "\n"))
}

// Some hosts give a child sockets instead of pipes.
func TestSockets(t *testing.T) {
	open := func() (*process, *os.File, *os.File) {
		nearIn, farIn := socketPair(t)
		nearOut, farOut := socketPair(t)
		p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stdin, cmd.Stdout = farIn, farOut })
		require.NoError(t, farIn.Close())
		require.NoError(t, farOut.Close())
		p.in, p.out, p.lines = nearIn, nearOut, bufio.NewReader(nearOut)
		return p, nearIn, nearOut
	}
	t.Run("end of input", func(t *testing.T) {
		p, in, out := open()
		defer out.Close()
		p.submit("sleep", `,"input":{"durationMs":20}`)
		require.NoError(t, in.Close())
		state, code := p.end()
		require.Equal(t, "completed", state)
		require.Zero(t, code)
	})
	t.Run("the reader is gone", func(t *testing.T) {
		p, in, out := open()
		defer in.Close()
		p.submit("sleep", longSleep)
		p.until(schema.NotifyStarted)
		require.NoError(t, out.Close())
		require.Equal(t, ExitFault, p.exit())
	})
}

func socketPair(t *testing.T) (near, far *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
}

//go:build unix

package stdio

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// Signals that come together are one wish: timeout(1) signals its child and
// then its child's group, systemd sends SIGHUP after SIGTERM. The task has its
// grace all the same: this one takes some of it to clean up.
func TestSignalsThatComeTogether(t *testing.T) {
	heed(t, syscall.SIGINT)
	p := start(t, "main")
	p.submit("tidy", `,"graceMs":600000`)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT)) // the same one might not come twice
	state, code := p.end()
	require.Equal(t, "completed", state)
	require.Contains(t, []int{128 + int(syscall.SIGTERM), 128 + int(syscall.SIGINT)}, code) // as they happen to come
}

// A server that has ended in order waits a moment for the end of its input.
func TestLastMoment(t *testing.T) {
	ends := func(near, far *os.File) *pipes {
		in := descriptor{watched: int(far.Fd()), isPipe: true}
		require.NoError(t, near.Close())
		return newPipes(in, descriptor{})
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	_, err = w.WriteString("more that nobody reads")
	require.NoError(t, err)
	open := newPipes(descriptor{watched: int(r.Fd()), isPipe: true}, descriptor{})
	awaitInputEnd(open, time.Millisecond) // it does not wait for ever
	awaitInputEnd(ends(w, r), time.Hour)
	near, far := socketPair(t)
	defer far.Close()
	awaitInputEnd(ends(near, far), time.Hour)
	awaitInputEnd(newPipes(descriptor{}, descriptor{}), time.Hour) // a file, or a terminal
}

// However a server ends, Ended is called once.
func TestEnded(t *testing.T) {
	for name, finish := range map[string]func(*process){
		"in order":    func(p *process) { require.NoError(t, p.in.Close()) },
		"by a signal": func(p *process) { require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM)) },
		"by a fault":  func(p *process) { require.NoError(t, p.out.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			p := start(t, "log", func(cmd *exec.Cmd) { cmd.Stderr = &stderr })
			p.submit("noop", "")
			p.until(schema.NotifyFinished)
			finish(p)
			_ = p.cmd.Wait() // its error is the exit code
			require.Equal(t, 1, strings.Count(stderr.String(), "Ended was called"), &stderr)
		})
	}
}

// A client that leaves as soon as it has the last reply has seen the end: that
// is no fault.
func TestClientLeavesWithTheLastReply(t *testing.T) {
	for range 30 {
		p := start(t, "main")
		p.send(`{"jsonrpc":"2.0","id":1,"method":"shutdown"}` + "\n")
		p.untilReply("1")
		require.NoError(t, p.out.Close())
		require.NoError(t, p.in.Close())
		require.Zero(t, p.exit())
	}
}

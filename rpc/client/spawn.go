package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/rpc/wire"
)

const (
	// maxStderr bounds the end of a server's stderr that a client keeps, in bytes.
	maxStderr = 4 << 10
	// endTimeout is how long a call whose connection has ended waits for the end of
	// the server's process, to report how it ended.
	endTimeout = time.Second
	// stderrTimeout is how long stderr is read after the server has ended: a
	// process that it has started may hold stderr open.
	stderrTimeout = endTimeout / 2
)

// ServerEndedError says that a server that Spawn has started has ended although the
// client was not closed. Errors of calls wrap it.
type ServerEndedError struct {
	// ExitCode is that of the process, -1 where a signal ended it.
	ExitCode int
	// Stderr is the last that the server has written to stderr, at most 4 KiB.
	Stderr string
	// Err is the error of the call, as jsonrpc2.ErrClosed, joined with the
	// *exec.ExitError of a server that did not exit with 0.
	Err error

	how string // "exit status 2", "signal: killed"
}

func (e *ServerEndedError) Error() string {
	text := "the server has ended (" + e.how + ")"
	if said := strings.TrimSpace(e.Stderr); said != "" {
		text += ": " + said[strings.LastIndexByte(said, '\n')+1:]
	}
	return text
}

func (e *ServerEndedError) Unwrap() error { return e.Err }

// Spawn starts a server as a child process, and answers a client of it. The command's
// Stdin and Stdout must not be set. Its Stderr may be set; the server's stderr is a
// pipe all the same, and this process copies it. Close ends the server.
//
// Ctrl-C in a terminal reaches the server, too, unless the command's SysProcAttr
// gives it a process group of its own. The server then waits two seconds for what
// this process does about the signal: a Shutdown, its end, or any other call.
//
// Spawn does not wait until the server has started, which takes about 20 ms. Where
// the server does not start, as for a wrong flag, the first call answers a
// ServerEndedError that says why. Stats is a call that changes nothing.
func Spawn(ctx context.Context, server *exec.Cmd) (*Client, error) {
	in, err := server.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &child{cmd: server, ended: make(chan struct{})}
	if server.Stderr == nil {
		server.Stderr = &p.stderr
	} else {
		server.Stderr = io.MultiWriter(&p.stderr, server.Stderr)
	}
	if server.WaitDelay == 0 {
		server.WaitDelay = stderrTimeout
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	c := New(ctx, childPipes{in, out}, wire.FramingLine)
	c.child = p
	go p.wait(c.conn) // ends with the server
	return c, nil
}

// childPipes is a child's stdin and stdout as one connection. Close closes the child's
// stdin: then the child ends, and with it its stdout.
type childPipes struct {
	io.WriteCloser
	io.Reader
}

// child is a server that Spawn has started.
type child struct {
	cmd    *exec.Cmd
	stderr lastBytes // to be read after the process has ended
	ended  chan struct{}
	err    error // how it ended
}

// wait waits for the end of the process, but first for the end of the connection:
// Wait of a command closes its stdout, and unread bytes would be lost.
func (p *child) wait(conn *jsonrpc2.Conn) {
	<-conn.DisconnectNotify()
	if err := p.cmd.Wait(); !errors.Is(err, exec.ErrWaitDelay) {
		p.err = err
	}
	close(p.ended)
}

// explain makes a ServerEndedError of the error of a call, where the server's end is
// the reason.
func (p *child) explain(ctx context.Context, err error) error {
	select {
	case <-p.ended:
	case <-ctx.Done():
		return err
	case <-time.After(endTimeout): // the connection has failed, and the server goes on
		return err
	}
	state := p.cmd.ProcessState
	return &ServerEndedError{
		ExitCode: state.ExitCode(), Stderr: strings.ToValidUTF8(string(p.stderr), "\uFFFD"),
		Err: errors.Join(err, p.err), how: state.String(),
	}
}

// lastBytes keeps the last maxStderr bytes of what is written to it.
type lastBytes []byte

func (l *lastBytes) Write(p []byte) (int, error) {
	kept := append(*l, p[max(0, len(p)-maxStderr):]...)
	over := max(0, len(kept)-maxStderr)
	*l = kept[:copy(kept, kept[over:])]
	return len(p), nil
}

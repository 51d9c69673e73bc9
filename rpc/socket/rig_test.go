//go:build linux || darwin || freebsd

package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
)

// soon is how long a test waits for what must come in a moment. A machine that does much
// else is slow.
const soon = time.Minute

// rig is a server on a socket in this process.
type rig struct {
	t    *testing.T
	path string
	ex   *executor.Executor
	*Server
	ran, served chan error
}

type nothing struct{}

// longTask runs until it is told to stop.
var longTask = executor.MustDefine("long", func(ctx context.Context, _ nothing) (nothing, error) {
	<-ctx.Done()
	return nothing{}, context.Cause(ctx)
})

// socketDir is a folder for sockets, whose path is short.
func socketDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "jl")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	return dir
}

// newRig serves until the test is over.
func newRig(t *testing.T, change func(*Server), o Options) *rig {
	path := filepath.Join(socketDir(t), "s")
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{longTask}, Limit: 1})
	require.NoError(t, err)
	s, err := Reserve(t.Context(), path)
	require.NoError(t, err)
	r := &rig{t: t, path: path, ex: ex, Server: NewServer(ex, []*Socket{s}, o), ran: make(chan error, 1), served: make(chan error, 1)}
	if change != nil {
		change(r.Server)
	}
	go func() { r.ran <- ex.Run(context.Background()) }()
	go func() { r.served <- r.Run(context.Background()) }()
	t.Cleanup(func() {
		ex.Begin("cancel")
		for _, over := range []chan error{r.ran, r.served} {
			select {
			case err := <-over:
				require.NoError(t, err)
			case <-time.After(soon):
				t.Error("the server has not ended")
			}
		}
		require.NoError(t, s.Release())
	})
	require.Eventually(t, func() bool {
		_, err := os.Lstat(path)
		return err == nil || ex.ShuttingDown()
	}, soon, time.Millisecond)
	return r
}

// over waits for the end of the server.
func (r *rig) over() {
	r.t.Helper()
	for _, over := range []chan error{r.ran, r.served} {
		select {
		case err := <-over:
			require.NoError(r.t, err)
			over <- nil // for the end of the test
		case <-time.After(soon):
			require.Fail(r.t, "the server has not ended")
		}
	}
}

// caller is a client that sends a line and reads the next.
type caller struct {
	*Conn
	lines *bufio.Reader
}

func (r *rig) dial() *caller {
	r.t.Helper()
	c, err := Dial(r.t.Context(), r.path)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = c.Close() })
	require.NoError(r.t, c.SetDeadline(time.Now().Add(soon)))
	return newCaller(c)
}

func newCaller(c *Conn) *caller { return &caller{c, bufio.NewReader(c)} }

// answer is a message of the server.
type answer struct {
	ID     json.RawMessage
	Method string
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    struct {
			Kind  string
			Limit int
		}
	}
}

func (c *caller) next() (a answer, err error) {
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

func (c *caller) call(method, params string) (answer, error) {
	_, err := c.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + "}\n"))
	if err != nil {
		return answer{}, err
	}
	for {
		a, err := c.next()
		if err != nil || a.ID != nil {
			return a, err
		}
	}
}

// works requires that the server answers.
func (c *caller) works(t *testing.T) {
	t.Helper()
	a, err := c.call("stats", "{}")
	require.NoError(t, err)
	require.Nil(t, a.Error)
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text, []byte(text))
}

// gone reports whether an error is that of a connection that the other end has ended.
func gone(err error) bool { return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) }

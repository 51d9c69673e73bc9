// Package rpctest connects a test to an executor in the same process, over pipes in
// memory. The client, the server and the queue are the real ones. It works inside a
// testing/synctest bubble, where a task that sleeps an hour takes no time.
package rpctest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// New starts an executor with the task types and answers a client of it. At the end
// of the test all tasks are cancelled; the test fails if the code of one does not
// stop.
func New(t testing.TB, types ...executor.Type) *client.Client {
	t.Helper()
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types})
	if err != nil {
		t.Fatal(err)
	}
	return Connect(t, ex, rpc.Options{})
}

// Connect runs an executor and answers a client of it, as New.
func Connect(t testing.TB, ex *executor.Executor, o rpc.Options) *client.Client {
	t.Helper()
	ctx := context.Background()
	ran := make(chan error, 1)
	go func() { ran <- ex.Run(ctx) }()
	near, far := Pipe()
	served := make(chan error, 1)
	go func() { served <- rpc.Serve(ctx, far, ex, o) }()
	c := client.New(ctx, near, o.Framing)
	t.Cleanup(func() {
		ex.Begin(schema.ShutdownCancel)
		if err := <-ran; err != nil {
			t.Errorf("run: %v", err)
		}
		_ = c.Close()
		if err := <-served; err != nil && !errors.Is(err, rpc.ErrReaderGone) { // the client may leave before the last message
			t.Errorf("serve: %v", err)
		}
	})
	return c
}

// Pipe answers the two ends of a connection in memory. A write waits for reads.
func Pipe() (a, b io.ReadWriteCloser) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &end{ar, aw}, &end{br, bw}
}

type end struct {
	*io.PipeReader
	w *io.PipeWriter
}

func (e *end) Write(p []byte) (int, error) { return e.w.Write(p) }

// CloseWrite ends only the writing, as a client does that closes a server's stdin.
func (e *end) CloseWrite() error { return e.w.Close() }

func (e *end) Close() error {
	_ = e.PipeReader.Close() // neither ever fails
	return e.w.Close()
}

package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// ErrReaderGone says that the client's end of the connection is closed.
var ErrReaderGone = errors.New("the reader of the replies is gone")

// deliveryError is an ErrReaderGone with the error of the write that failed: stdout
// may be a file on a full disk.
type deliveryError struct{ err error }

func (e *deliveryError) Error() string { return "the replies cannot be written: " + e.err.Error() }

func (e *deliveryError) Unwrap() []error { return []error{ErrReaderGone, e.err} }

// closeTimeout is how long Serve waits for a Read after it has closed the stream.
// Not every system can interrupt a read of a terminal.
const closeTimeout = time.Second

// Serve serves one client until the client leaves, a shutdown is answered, the
// executor has ended, or ctx ends. The executor must be running. Serve closes conn
// when it returns; closing conn must end a Read of it.
//
// Serve returns nil where the connection ended in order, an error that wraps
// ErrReaderGone where nothing can be written to the client any more, and another
// error where the framing broke, a read failed or ctx ended.
func Serve(ctx context.Context, conn io.ReadWriteCloser, ex *executor.Executor, o Options) error {
	o = o.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &connection{outbox: wire.NewOutbox(conn), over: make(chan struct{}), cut: cancel}
	s, err := newSession(ctx, ex, c, o)
	if err != nil {
		conn.Close() // the first error says more
		return err
	}
	defer s.watcher.Close()

	var running sync.WaitGroup
	running.Go(func() {
		if err := c.outbox.Run(); err != nil {
			cancel(&deliveryError{err})
		}
	})
	pumping, stopPump := context.WithCancel(context.WithoutCancel(ctx))
	running.Go(func() {
		unhook := context.AfterFunc(ctx, stopPump)
		defer unhook()
		s.run(pumping)
	})
	read := make(chan error, 1)
	go func() { read <- s.read(ctx, wire.NewReader(conn, o.Framing, o.MaxMessage), c) }()

	err = s.untilOver(ctx, read, c)
	stopPump()
	c.outbox.Close()
	unhook := context.AfterFunc(ctx, func() { conn.Close() }) // what is left is not read
	running.Wait()
	unhook()
	if err == nil && o.Shared {
		awaitLastRequests(ctx, conn, read)
	}
	conn.Close()
	select {
	case <-read:
	case <-time.After(closeTimeout):
	}
	if err = cmp.Or(err, gone(ctx)); errors.Is(err, ErrReaderGone) && c.delivered() {
		err = nil // the client has read the last message, and left at once
	}
	cancel(nil)
	s.close()
	if context.Cause(ctx) == errClientStalled {
		o.Logger.Warn("the last messages are dropped", "error", errClientStalled)
		return nil
	}
	return err
}

// leaveTimeout is how long a connection is still read after its last message: a language client sends exit
// after the reply to shutdown, and must not find a closed connection.
const leaveTimeout = 250 * time.Millisecond

// awaitLastRequests closes the writing side, and waits until the client sends nothing more.
func awaitLastRequests(ctx context.Context, conn io.ReadWriteCloser, read chan error) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // the client may be gone
	}
	select {
	case err := <-read:
		read <- err
	case <-ctx.Done():
	case <-time.After(leaveTimeout):
	}
}

func gone(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, ErrReaderGone) {
		return err
	}
	return nil
}

// untilOver waits for the end of the connection. It ends the executor where the end
// of the requests, or Options.Stop, demands that.
func (s *session) untilOver(ctx context.Context, read chan error, c *connection) error {
	var err error
	ending := false
	stop, ended, input, begun := s.options.Stop, s.executor.Done(), read, s.shutdownBegun()
	for {
		select {
		case <-c.over:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-begun:
			begun = nil
			s.tellShutdown(ctx)
			continue
		case <-stop:
			stop = nil
			if ending {
				s.executor.Begin(executor.ShutdownInterrupt)
				continue
			}
			s.shutdown(ctx, executor.ShutdownInterrupt, 0, "the server was told to stop", s.noResponder(), 0)
		case <-ended:
			ended = nil
			s.executorEnded(ctx)
		case err = <-input:
			read <- err
			s.inputEnded(ctx)
		}
		ending, input = true, nil
	}
}

// noResponder answers nobody: no request has asked for the shutdown.
func (s *session) noResponder() responder { return responder{log: s.logError} }

// inputEnded handles the end of the requests as Options.OnEOF says. Tasks that end with the connection are
// cancelled first.
func (s *session) inputEnded(ctx context.Context) {
	s.cancelDisconnected()
	switch s.options.OnEOF {
	case EOFDrain:
		s.shutdown(ctx, schema.ShutdownDrain, 0, s.asking(), s.noResponder(), 0)
	case EOFFinish:
		s.shutdown(ctx, schema.ShutdownFinish, 0, s.asking(), s.noResponder(), 0)
	case EOFCancel:
		s.shutdown(ctx, schema.ShutdownCancel, 0, s.asking(), s.noResponder(), 0)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pendingShutdowns.Load() == 0 {
			s.afterEvents(ctx, s.detached)
		}
	}
}

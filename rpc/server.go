package rpc

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/internal/jsonscan"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// DefaultMaxBatch bounds the requests of a batch.
const DefaultMaxBatch = 1000

// DefaultVersion is the version of a program that does not say its own.
const DefaultVersion = "devel"

// EOFPolicy says what becomes of the executor when a client's requests end.
type EOFPolicy uint8

// What the end of the requests means.
const (
	EOFDetach EOFPolicy = iota // this client leaves; the executor goes on for others
	EOFDrain                   // run all that was accepted, tell the client, end
	EOFFinish                  // let the running ones end and leave the others in a durable store, tell the client, end
	EOFCancel                  // cancel all, tell the client, end
)

// Options sets how a connection is served. A zero is the default.
type Options struct {
	Framing    wire.Framing
	OnEOF      EOFPolicy
	MaxMessage int // bytes of one message; at most 2 GiB less one
	MaxBatch   int // requests of one batch
	MaxWaits   int // pending wait requests
	MaxUnsent  int // bytes that the client has not read, before no more requests are read
	// Stop, when it is closed, interrupts the executor (executor.ShutdownInterrupt:
	// a durable store keeps the tasks that may go on later), tells the client what
	// became of its tasks, and ends Serve.
	Stop <-chan struct{}
	// Version is the program's version, for stats.
	Version string
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxMessage = min(cmp.Or(o.MaxMessage, wire.DefaultMaxMessage), jsonscan.MaxText)
	o.MaxBatch = cmp.Or(o.MaxBatch, DefaultMaxBatch)
	o.MaxWaits = cmp.Or(o.MaxWaits, DefaultMaxWaits)
	o.MaxUnsent = cmp.Or(o.MaxUnsent, wire.DefaultMaxUnsent)
	o.Version = cmp.Or(o.Version, DefaultVersion)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// ErrReaderGone says that nothing reaches the client any more.
var ErrReaderGone = errors.New("the reader of the replies is gone")

// deliveryError is an ErrReaderGone with what a write has failed with: stdout
// may be a file, and its disk full.
type deliveryError struct{ err error }

func (e *deliveryError) Error() string   { return "the replies cannot be written: " + e.err.Error() }
func (e *deliveryError) Unwrap() []error { return []error{ErrReaderGone, e.err} }

// errClientStalled ends a connection whose client has sent exit and does not read.
var errClientStalled = errors.New("the client has sent exit and does not read")

// exitTimeout is how long a client that has sent exit may take nothing, once
// all tasks have ended, before what is left for it is dropped.
const exitTimeout = time.Second

// closeTimeout is how long a Read may go on after its stream was closed. A
// read from a terminal cannot be interrupted everywhere; the process's end
// ends it.
const closeTimeout = time.Second

// Serve serves one client until it leaves, a shutdown has been answered, the
// executor has ended at the wish of another, or ctx ends. Closing conn must end a Read of it. The executor must be running.
//
// It returns nil where the connection ended as the protocol has it, an error
// that wraps ErrReaderGone where nothing can be written to the client any more,
// and another where the framing broke, a read failed or ctx ended.
func Serve(ctx context.Context, conn io.ReadWriteCloser, ex *executor.Executor, o Options) error {
	o = o.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &connection{outbox: wire.NewOutbox(conn), over: make(chan struct{}), cut: cancel}
	s, err := newSession(ctx, ex, c, o)
	if err != nil {
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
	unhook := context.AfterFunc(ctx, func() { conn.Close() }) // nobody reads what is left
	running.Wait()
	unhook()
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

func gone(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, ErrReaderGone) {
		return err
	}
	return nil
}

// untilOver waits for the end of the connection, and of what it has started.
func (s *session) untilOver(ctx context.Context, read chan error, c *connection) error {
	var err error
	select {
	case <-c.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.options.Stop:
		s.shutdown(ctx, executor.ShutdownInterrupt, 0, s.noResponder(), 0)
	case <-s.executor.Ended():
		s.executorEnded()
	case err = <-read:
		read <- err
		s.inputEnded(ctx)
	}
	for stop := s.options.Stop; ; {
		select {
		case <-c.over:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stop:
			stop = nil
			s.executor.Begin(executor.ShutdownInterrupt)
		}
	}
}

// noResponder is who is answered where no request has asked.
func (s *session) noResponder() responder { return responder{log: s.logError} }

// inputEnded does what the end of the requests means.
func (s *session) inputEnded(ctx context.Context) {
	switch s.options.OnEOF {
	case EOFDrain:
		s.shutdown(ctx, schema.ShutdownDrain, 0, s.noResponder(), 0)
	case EOFFinish:
		s.shutdown(ctx, schema.ShutdownFinish, 0, s.noResponder(), 0)
	case EOFCancel:
		s.shutdown(ctx, schema.ShutdownCancel, 0, s.noResponder(), 0)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pendingShutdowns.Load() == 0 {
			s.afterEvents(s.out.last)
		}
	}
}

// read takes messages to their methods until the stream ends.
func (s *session) read(ctx context.Context, r *wire.Reader, c *connection) error {
	r.BeforeRead = func() {
		s.flushSubmits(ctx)
		runtime.Gosched() // a task that is quick is sent with its reply: one wake-up of the client less
		c.outbox.Flush()
		c.outbox.YieldToWriter(ctx)
		most := s.options.MaxUnsent
		if s.watcher.Size() > int64(most) { // results wait, too: until the pump goes on
			most = eventRoom
		}
		_ = c.outbox.Await(ctx, most) // where ctx ends, the next read does
	}
	for {
		m, err := r.Next()
		if r.Framing() == wire.FramingHeader {
			c.outbox.UseHeader()
		}
		if err == nil {
			s.handleMessage(ctx, m)
			if c.outbox.Unsent() > s.options.MaxUnsent { // a few bytes of requests can ask for many of replies
				r.BeforeRead()
			}
			continue
		}
		s.flushSubmits(ctx)
		if bad, ok := errors.AsType[*wire.BadMessage](err); ok {
			s.handleBad(ctx, bad, r.Element)
			continue
		}
		if broken, ok := errors.AsType[*wire.BrokenHeaderError](err); ok {
			c.fail(nil, wire.NewError(schema.CodeParse, "%s: the connection cannot go on", broken))
			err = broken
		}
		c.outbox.Flush()
		return err
	}
}

func (s *session) handleMessage(ctx context.Context, m *wire.Message) {
	if m.Text[0] == '[' {
		s.flushSubmits(ctx)
		s.handleBatch(ctx, m.Text, nil)
		return
	}
	s.handleRequest(ctx, m, nil)
}

// handleBad answers what is no message. Of a batch the good elements count.
func (s *session) handleBad(ctx context.Context, bad *wire.BadMessage, check func([]byte) *wire.BadMessage) {
	if bad.Batch != nil {
		s.handleBatch(ctx, bad.Batch, check)
		return
	}
	s.responderOf(bad, nil).fail(bad)
}

// responderOf is who is to hear that a message is bad: its request where that
// can be told. A response is none.
func (s *session) responderOf(bad *wire.BadMessage, b *batch) responder {
	to := responder{id: nullID, out: s.out, batch: b, log: s.logError}
	if bad.ID != nil && !bad.Response {
		to.id = bad.ID
	}
	return to
}

// handleRequest takes one request, alone or of a batch, to its method.
func (s *session) handleRequest(ctx context.Context, m *wire.Message, b *batch) {
	if m.IsResponse() {
		s.log.Debug("a response came to a server that has asked nothing")
		return
	}
	to := responder{id: m.ID, out: s.out, batch: b, log: s.logError}
	if err := m.Check(); err != nil {
		if to.id == nil {
			to.id = nullID
		}
		if b != nil {
			b.missing++
		}
		to.fail(err)
		return
	}
	if b != nil && to.id != nil {
		b.missing++
	}
	s.handle(ctx, m.MethodName(), &m.Params, to)
}

var nullID = []byte("null")

// connection is the sink of a served stream.
type connection struct {
	outbox *wire.Outbox
	once   sync.Once
	over   chan struct{}
	cut    context.CancelCauseFunc // ends it at once
}

func (c *connection) result(id []byte, f func([]byte) []byte) {
	c.outbox.End(appendReply(c.outbox.Begin(), id, f))
}

func (c *connection) submitted(answers []newTask) {
	b := c.outbox.Begin()
	for i, a := range answers {
		if i > 0 {
			b = c.outbox.Next(b)
		}
		b = appendReplyHead(b, a.id)
		b = append(appendSubmitted(b, a.task, false), '}')
	}
	c.outbox.End(b)
}

func (c *connection) fail(id []byte, e *wire.Error) {
	c.outbox.End(wire.AppendError(c.outbox.Begin(), id, e))
}

func (c *connection) message(f func([]byte) []byte) {
	c.outbox.End(f(c.outbox.Begin()))
}

func (c *connection) notify(method string, params func([]byte) []byte) {
	b := appendNotificationHead(c.outbox.Begin(), method)
	c.outbox.End(append(params(b), '}'))
}

func (c *connection) event(ev *executor.Event) {
	b := appendNotificationHead(c.outbox.Begin(), notificationOf[ev.Kind])
	c.outbox.End(append(appendEvent(b, ev), '}'))
}

func (c *connection) last() {
	c.outbox.Close()
	c.once.Do(func() { close(c.over) })
}

// delivered says that the last message of the connection was written.
func (c *connection) delivered() bool {
	select {
	case <-c.over:
		return c.outbox.Unsent() == 0 && c.outbox.Err() == nil
	default:
		return false
	}
}

func (c *connection) leave(ctx context.Context) {
	for before := int64(-1); ; {
		written := c.outbox.Written()
		if written == before && c.unsent() > 0 {
			c.cut(errClientStalled)
		}
		before = written
		select {
		case <-ctx.Done():
			return
		case <-time.After(exitTimeout):
		}
	}
}

func (c *connection) room(ctx context.Context) error {
	c.outbox.Flush()
	return c.outbox.Await(ctx, eventRoom)
}

func (c *connection) unsent() int { return c.outbox.Unsent() }

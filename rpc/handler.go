package rpc

import (
	"context"
	"sync"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

// Handler serves the methods of the protocol on a jsonrpc2.Conn that a program has
// already, a language server for example. Requests of other methods go to next, or
// are refused where next is nil. Events are sent as notifications on the connection
// that has submitted the task.
//
// The connection belongs to the program: shutdown and exit end the executor and not
// the connection, and initialize is a request for next, where that is not nil. Ids, batches and malformed input are treated as package jsonrpc2
// treats them; Serve is stricter. A client that does not read delays no task:
// messages are queued, and beyond Options.MaxUnsent bytes Handle waits until the
// client has read. The stream of the connection may hold further bytes; a
// client.Stream holds at most 64 MiB.
func Handler(ex *executor.Executor, next jsonrpc2.Handler, o Options) jsonrpc2.Handler {
	return &handler{executor: ex, next: next, options: o.withDefaults(), sessions: map[*jsonrpc2.Conn]*mounted{}}
}

type handler struct {
	executor *executor.Executor
	next     jsonrpc2.Handler
	options  Options

	mu       sync.Mutex
	sessions map[*jsonrpc2.Conn]*mounted
}

// mounted is the session of a connection that belongs to the program.
type mounted struct {
	*session
	transport *connTransport
	ctx       context.Context // ends with the connection
}

// Handle implements jsonrpc2.Handler. It must be called in the order of the
// requests, so not through jsonrpc2.AsyncHandler. It waits only for a client that
// does not read.
func (h *handler) Handle(ctx context.Context, conn *jsonrpc2.Conn, rq *jsonrpc2.Request) {
	_, ours := methods[rq.Method]
	if h.next != nil && (!ours || rq.Method == schema.MethodInitialize) {
		h.next.Handle(ctx, conn, rq)
		return
	}
	m, err := h.session(ctx, conn)
	if err != nil {
		_ = conn.ReplyWithError(ctx, rq.ID, &jsonrpc2.Error{Code: int64(schema.CodeInternal), Message: err.Error()})
		return
	}
	to := responder{out: m.transport, log: m.logError}
	if !rq.Notif {
		to.id, _ = rq.ID.MarshalJSON() // of an id that was unmarshalled
	}
	var p wire.Params
	if rq.Params != nil {
		var s jsonscan.Scanner
		if s.Reset(*rq.Params, wire.MaxNesting); !p.Read(&s) {
			to.fail(wire.NewError(schema.CodeInvalidRequest, "params must be an object, got %s", schema.Cut(*rq.Params)))
			return
		}
		if err := s.Err(); err != nil { // the library is not strict
			to.fail(wire.NewError(schema.CodeParse, "not JSON: %v", wire.PlainError(err)))
			return
		}
	}
	m.handle(m.ctx, rq.Method, &p, to)
	m.flush(m.ctx)
	m.keepPace()
}

// keepPace waits for a client that does not read, as Serve does between two reads.
func (m *mounted) keepPace() {
	most := m.options.MaxUnsent
	if m.watcher.Size() > int64(most) {
		most = eventRoom
	}
	_ = m.transport.await(m.ctx, most) // where the connection ends, nothing is left to be done
}

// session finds or makes the session of a connection. The session ends with the
// connection.
func (h *handler) session(ctx context.Context, conn *jsonrpc2.Conn) (*mounted, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := h.sessions[conn]; ok {
		return m, nil
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	transport := newConnTransport(conn)
	s, err := newSession(ctx, h.executor, transport, h.options)
	if err != nil {
		stop()
		return nil, err
	}
	m := &mounted{session: s, transport: transport, ctx: ctx}
	h.sessions[conn] = m
	var running sync.WaitGroup
	running.Go(transport.run)
	running.Go(func() { s.run(ctx) })
	go func() { // ends with the connection, whose owner waits for that
		m.untilDisconnected(conn.DisconnectNotify())
		stop()
		transport.end()
		s.watcher.Close()
		running.Wait()
		s.close()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions, conn)
	}()
	return m, nil
}

// untilDisconnected waits for the end of the connection. Where the executor ends
// first, the pending waits are answered with an error.
func (m *mounted) untilDisconnected(disconnected <-chan struct{}) {
	for begun, ended := m.shutdownBegun(), m.executor.Done(); ; {
		select {
		case <-disconnected:
			return
		case <-begun:
			begun = nil
			m.tellShutdown(m.ctx)
		case <-ended:
			ended = nil
			m.executorEnded(m.ctx)
		}
	}
}

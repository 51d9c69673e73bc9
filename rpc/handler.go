package rpc

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Handler offers the method table to a program that has a jsonrpc2.Conn
// already, a language server for example. Requests of other methods go to
// next, or are refused where it is nil. Events go out as notifications on the
// connection that submitted the task.
//
// The connection belongs to the program: shutdown and exit end the executor,
// not the connection, and the library's own ways with ids, batches and
// malformed input hold. Serve has none of these limits.
func Handler(ex *executor.Executor, next jsonrpc2.Handler, o Options) jsonrpc2.Handler {
	return &handler{executor: ex, next: next, options: o.withDefaults(), sessions: map[*jsonrpc2.Conn]*session{}}
}

type handler struct {
	executor *executor.Executor
	next     jsonrpc2.Handler
	options  Options

	mu       sync.Mutex
	sessions map[*jsonrpc2.Conn]*session
}

// Handle implements jsonrpc2.Handler. It is to be called in the order of the
// requests, so not through jsonrpc2.AsyncHandler; it does not wait.
func (h *handler) Handle(ctx context.Context, conn *jsonrpc2.Conn, rq *jsonrpc2.Request) {
	if _, ours := methods[rq.Method]; !ours && h.next != nil {
		h.next.Handle(ctx, conn, rq)
		return
	}
	s, err := h.session(ctx, conn)
	if err != nil {
		_ = conn.ReplyWithError(ctx, rq.ID, &jsonrpc2.Error{Code: int64(schema.CodeInternal), Message: err.Error()})
		return
	}
	call := request{method: rq.Method}
	if rq.Params != nil && string(*rq.Params) != "null" {
		call.params = *rq.Params
	}
	if !rq.Notif {
		call.id, _ = rq.ID.MarshalJSON() // of an id that was unmarshalled
	}
	to := responder{id: call.id, out: s.out, log: s.logError}
	s.handle(ctx, &call, to)
	s.flushSubmits(ctx)
}

// session finds or makes the session of a connection. It ends with it.
func (h *handler) session(ctx context.Context, conn *jsonrpc2.Conn) (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.sessions[conn]; ok {
		return s, nil
	}
	s, err := newSession(ctx, h.executor, &connSink{conn: conn}, h.options)
	if err != nil {
		return nil, err
	}
	h.sessions[conn] = s
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() { // ends with the connection, whose owner waits for that
		<-conn.DisconnectNotify()
		stop()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions, conn)
		s.watcher.Close()
	}()
	go func() { _ = s.pump(ctx) }() // likewise
	return s, nil
}

// connSink sends through a jsonrpc2.Conn, which writes as it is called. An
// error of writing means that the connection is gone, which its owner sees.
type connSink struct{ conn *jsonrpc2.Conn }

func (k *connSink) result(id []byte, f func([]byte) []byte) {
	_ = k.conn.Reply(context.Background(), connID(id), json.RawMessage(f(nil)))
}

func (k *connSink) submitted(id []byte, t *schema.Task) {
	k.result(id, func(b []byte) []byte { return appendSubmitted(b, t, false) })
}

func (k *connSink) fail(id []byte, e *Error) {
	data := json.RawMessage(appendJSON(nil, e.Data))
	_ = k.conn.ReplyWithError(context.Background(), connID(id), &jsonrpc2.Error{Code: int64(e.Code), Message: e.Message, Data: &data})
}

func connID(raw []byte) (id jsonrpc2.ID) {
	_ = json.Unmarshal(raw, &id) // it was marshalled from one
	return id
}

func (k *connSink) notify(method string, params func([]byte) []byte) {
	_ = k.conn.Notify(context.Background(), method, json.RawMessage(params(nil)))
}

func (k *connSink) event(ev *executor.Event) {
	k.notify(notificationOf[ev.Kind], func(b []byte) []byte { return appendEvent(b, ev) })
}

// message is of batches, which the library does not hand on.
func (k *connSink) message(func([]byte) []byte) {}

func (k *connSink) flush()                     {}
func (k *connSink) last()                      {}
func (k *connSink) leave(context.Context)      {}
func (k *connSink) room(context.Context) error { return nil }
func (k *connSink) unsent() int                { return 0 }

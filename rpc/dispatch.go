package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// read handles messages until the stream ends.
func (s *session) read(ctx context.Context, r *wire.Reader, c *connection) error {
	r.BeforeRead = func() {
		s.flush(ctx)
		s.executor.Yield() // a task that is quick is sent with its reply: one wake-up of the client less
		c.outbox.Flush()
		c.outbox.YieldToWriter(ctx)
		most := s.options.MaxUnsent
		if s.watcher.Size() > int64(most) { // unsent results count, too: wait until the pump goes on
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
			if c.outbox.Unsent() > s.options.MaxUnsent { // short requests can have long replies
				r.BeforeRead()
			}
			continue
		}
		s.flush(ctx)
		if bad, ok := errors.AsType[*wire.BadMessage](err); ok {
			s.handleBad(ctx, bad, r.Element)
			continue
		}
		if broken, ok := errors.AsType[*wire.BrokenHeaderError](err); ok {
			c.fail(nil, wire.NewError(schema.CodeParse, "%s: the connection cannot go on", broken))
			err = broken
		}
		s.retries.Wait() // their tasks come before the end of the requests
		c.outbox.Flush()
		return err
	}
}

func (s *session) handleMessage(ctx context.Context, m *wire.Message) {
	if m.Text[0] == '[' {
		s.flush(ctx)
		s.handleBatch(ctx, m.Text, nil)
		return
	}
	s.handleRequest(ctx, m, nil)
}

// handleBad answers input that is not a message. The good elements of a bad batch are handled.
func (s *session) handleBad(ctx context.Context, bad *wire.BadMessage, check func([]byte) *wire.BadMessage) {
	if bad.Batch != nil {
		s.handleBatch(ctx, bad.Batch, check)
		return
	}
	s.responderOf(bad, nil).fail(bad)
}

// responderOf is the responder for a bad message: with its id if it is a request that has one, and otherwise
// with the id null.
func (s *session) responderOf(bad *wire.BadMessage, b *batch) responder {
	to := responder{id: nullID, out: s.out, batch: b, log: s.logError}
	if bad.ID != nil && !bad.Response {
		to.id = bad.ID
	}
	return to
}

var nullID = []byte("null")

// handleRequest checks one request, alone or of a batch, and handles it.
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

// handle calls the method of one request.
func (s *session) handle(ctx context.Context, name string, p *wire.Params, to responder) {
	call, ok := (*session).submit, true
	if name != schema.MethodSubmit { // which comes by the hundred thousand a second
		call, ok = methods[name]
	}
	if !ok {
		s.flush(ctx)
		to.fail(s.unknownMethod(name))
		return
	}
	if name != schema.MethodSubmit {
		s.flushSubmits(ctx)
	}
	if name != schema.MethodCancel {
		s.flushCancels(ctx)
	}
	if len(p.Raw) > 0 && p.Raw[0] == '[' {
		if !p.StandForNone() {
			to.fail(wire.NewError(schema.CodeInvalidParams, "params are by name: an object, not an array"))
			return
		}
		p.Reset()
	}
	defer s.recovered(name, to.fail)
	call(s, ctx, p, to)
}

// recovered is deferred by code that handles requests: after a panic, fail answers the requests.
func (s *session) recovered(method string, fail func(error)) {
	if reason := recover(); reason != nil {
		s.log.Error("a request panicked", "method", method, "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
		fail(wire.NewError(schema.CodeInternal, "internal error in %s; the server's log says more", method))
	}
}

// flush records the gathered requests: either submits or cancels, because each of the two flushes the other.
func (s *session) flush(ctx context.Context) {
	s.flushSubmits(ctx)
	s.flushCancels(ctx)
}

func (s *session) unknownMethod(name string) *wire.Error {
	e := wire.NewError(schema.CodeMethodNotFound, "no method is named %q", schema.Cut(name))
	if s.executor.Offers(name) {
		e.Message += "; it is a task type: submit it"
		return e
	}
	if e.Data.Suggestions = schema.Suggest(name, schema.MethodNames); len(e.Data.Suggestions) > 0 {
		e.Message += fmt.Sprintf("; did you mean %q?", e.Data.Suggestions[0])
	} else {
		e.Message += "; rpc.discover lists them"
	}
	return e
}

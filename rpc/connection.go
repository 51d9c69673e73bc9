package rpc

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
)

// connection is the transport of a served stream.
type connection struct {
	outbox *wire.Outbox
	once   sync.Once
	over   chan struct{}
	cut    context.CancelCauseFunc // ends it at once
}

// exitTimeout is how long a client that has sent exit may read nothing, once all
// tasks have ended, before the messages that are left are dropped.
const exitTimeout = time.Second

// errClientStalled ends a connection whose client has sent exit and does not read.
var errClientStalled = errors.New("the client has sent exit and does not read")

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

// delivered reports whether the last message of the connection was written.
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

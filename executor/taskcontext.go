package executor

import (
	"context"
	"sync"
	"time"
)

// taskContext is the context of a task's code: that of the executor's Run, which
// is never at its end here, with an end of its own. Code that is quick does not
// look whether it is to stop, so what that takes is made when it is first asked for.
type taskContext struct {
	values context.Context

	mu     sync.Mutex
	ending *contextEnd // nil while it has not ended and nobody has asked
}

// contextEnd is the end of a taskContext.
type contextEnd struct {
	cause  error           // or nil before it
	inner  context.Context // nil before it is asked for
	cancel context.CancelCauseFunc
}

// endedQuietly is the end of contexts that nobody had asked for before it. Nobody
// changes it.
var endedQuietly = &contextEnd{cause: context.Canceled}

var _ context.Context = (*taskContext)(nil)

// expire ends the context. The first cause counts.
func (c *taskContext) expire(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ending == nil && cause == context.Canceled: // as of each task that was not told to stop
		c.ending = endedQuietly
	case c.ending == nil:
		c.ending = &contextEnd{cause: cause}
	case c.ending.cause == nil:
		c.ending.cause = cause
		c.ending.cancel(cause)
	}
}

// context is one of package context, which knows its own: so contexts that are
// derived of it end with it, and context.Cause tells why.
func (c *taskContext) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.ending {
	case nil:
		c.ending = new(contextEnd)
	case endedQuietly:
		c.ending = &contextEnd{cause: context.Canceled}
	}
	if e := c.ending; e.inner == nil {
		e.inner, e.cancel = context.WithCancelCause(c.values)
		if e.cause != nil {
			e.cancel(e.cause)
		}
	}
	return c.ending.inner
}

// Deadline implements context.Context.
func (c *taskContext) Deadline() (deadline time.Time, ok bool) { return c.values.Deadline() }

// Done implements context.Context.
func (c *taskContext) Done() <-chan struct{} { return c.context().Done() }

// Err implements context.Context.
func (c *taskContext) Err() error { return c.context().Err() }

// Value implements context.Context.
func (c *taskContext) Value(key any) any { return c.context().Value(key) }

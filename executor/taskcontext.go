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
	cause  error           // of the end, or nil
	inner  context.Context // nil before it is asked for
	cancel context.CancelCauseFunc
}

var _ context.Context = (*taskContext)(nil)

// expire ends the context. The first cause counts.
func (c *taskContext) expire(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = cause
	}
	if c.cancel != nil {
		c.cancel(cause)
	}
}

// context is one of package context, which knows its own: so contexts that are
// derived of it end with it, and context.Cause tells why.
func (c *taskContext) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithCancelCause(c.values)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.inner
}

// Deadline implements context.Context.
func (c *taskContext) Deadline() (deadline time.Time, ok bool) { return c.values.Deadline() }

// Done implements context.Context.
func (c *taskContext) Done() <-chan struct{} { return c.context().Done() }

// Err implements context.Context.
func (c *taskContext) Err() error { return c.context().Err() }

// Value implements context.Context.
func (c *taskContext) Value(key any) any { return c.context().Value(key) }

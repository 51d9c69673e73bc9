package rpc

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// end handles a request for a shutdown. Beyond the limit of requests it still sets
// the mode, but is answered with an error.
func (s *session) end(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder) {
	cost, err := s.admitShutdown(to)
	if err != nil {
		to.fail(err) // before Begin: it may let an earlier shutdown be answered, with the last message
		s.executor.BeginBecause(mode, s.asking())
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	s.shutdown(ctx, mode, timeout, s.asking(), to, cost)
}

// asking notes that this client ends the executor. It answers the reason that the other clients get.
func (s *session) asking() string {
	s.endsExecutor.Store(true)
	if s.owner != nil {
		return s.owner[ownerLabel] + " has asked for it"
	}
	return "a client has asked for it"
}

// shutdown stops the admission of tasks at once, and answers when the executor has
// ended. Its reply is the last message of the connection.
func (s *session) shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, reason string, to responder, cost int64) {
	s.pendingShutdowns.Add(1) // before Begin: it may let an earlier shutdown be answered, which then is not the last message
	s.executor.BeginBecause(mode, reason)
	s.tasks.Go(func() {
		result, err := s.executor.Shutdown(ctx, mode, timeout)
		if err != nil && ctx.Err() != nil {
			return // the connection was cut: a last message would look like an end in order
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.afterEvents(ctx, func() {
			s.waits.failAll(s, executor.ErrShuttingDown)
			s.budget.release(cost)
			if err != nil {
				to.fail(err)
			} else {
				to.value(result)
			}
			if s.pendingShutdowns.Add(-1) == 0 {
				s.out.last()
			}
		})
	})
}

// executorEnded ends a connection whose executor was shut down by another
// connection: after all events its waits fail, and then nothing is sent any more.
func (s *session) executorEnded(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterEvents(ctx, s.endWithoutEvents)
}

// endWithoutEvents fails the waits and ends the connection, since no event comes any
// more. The caller holds mu. An executor can end before anything here has seen that it was about
// to, so the client is told of that now, unless it was before.
func (s *session) endWithoutEvents() {
	s.tellShutdownNow()
	s.waits.failAll(s, executor.ErrShuttingDown)
	s.finishLeaving(func(over func()) { over() })
	if s.pendingShutdowns.Load() == 0 { // else the reply to the last shutdown is the last message
		s.out.last()
	}
}

// admitShutdown counts one more shutdown that is to be answered, or says why it is refused.
func (s *session) admitShutdown(to responder) (cost int64, err *wire.Error) {
	if s.pendingShutdowns.Load() >= maxShutdowns {
		e := wire.NewError(schema.CodeQueueFull, "%d shutdown requests are not answered yet on this connection, the limit; the mode of this one holds all the same", maxShutdowns)
		e.Data.Limit = maxShutdowns
		return 0, e
	}
	if to.batch == nil && len(to.id) <= maxShutdownID {
		cost = int64(len(to.id)) + pendingBytes
		s.budget.charge(cost)
		return cost, nil
	}
	return s.admit(to)
}

func (s *session) shutdownMethod(ctx context.Context, p *schema.ShutdownParams, to responder) {
	s.retries.Wait() // they were asked for before
	here, err := s.scope(p.Scope)
	switch {
	case err != nil:
		to.fail(err)
		return
	case here:
		s.leave(ctx, p.Mode, to)
		return
	}
	s.end(ctx, cmp.Or(p.Mode, schema.ShutdownDrain), time.Duration(p.TimeoutMs)*time.Millisecond, to)
}

// exit handles the notification exit. Its client expects no reply, so it may have
// stopped reading: leave does not wait for it.
func (s *session) exit(ctx context.Context, p *schema.ExitParams, to responder) {
	s.retries.Wait()
	here, err := s.scope(p.Scope)
	switch {
	case err != nil:
		to.fail(err)
		return
	case here:
		s.leave(ctx, schema.ShutdownDrain, to)
	default:
		s.end(ctx, schema.ShutdownCancel, 0, to)
	}
	if s.exiting {
		return
	}
	s.exiting = true
	if here {
		s.tasks.Go(func() { s.out.leave(ctx) })
		return
	}
	s.tasks.Go(func() {
		if _, err := s.executor.Shutdown(ctx, schema.ShutdownCancel, 0); err == nil {
			s.out.leave(ctx)
		}
	})
}

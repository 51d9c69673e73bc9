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

// end is a shutdown that a request asks for. One that is one too many has its
// mode all the same, and is not answered with what became of the tasks.
func (s *session) end(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder) {
	cost, err := s.admitShutdown(to)
	if err != nil {
		to.fail(err) // before the mode lets an earlier one be answered, which may be the last message
		s.executor.Begin(mode)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	s.shutdown(ctx, mode, timeout, to, cost)
}

// shutdown closes the admission at once, and answers when all is over: its
// reply is the last message of the connection.
func (s *session) shutdown(ctx context.Context, mode schema.ShutdownMode, timeout time.Duration, to responder, cost int64) {
	s.pendingShutdowns.Add(1) // first: the mode may let an earlier shutdown be answered, and that must not be the last
	s.executor.Begin(mode)
	s.tasks.Go(func() {
		result, err := s.executor.Shutdown(ctx, mode, timeout)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.afterEvents(func() {
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

// executorEnded ends a connection whose executor has ended at the wish of
// another: behind all events its waits are told, and then nothing comes any more.
func (s *session) executorEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterEvents(s.endWithoutEvents)
}

// endWithoutEvents is when no event comes any more. It needs mu.
func (s *session) endWithoutEvents() {
	s.waits.failAll(s, executor.ErrShuttingDown)
	if s.pendingShutdowns.Load() == 0 { // or the last reply to a shutdown of its own is the last message
		s.out.last()
	}
}

// admitShutdown says what is against one more shutdown that is to be answered.
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
	s.end(ctx, cmp.Or(p.Mode, schema.ShutdownDrain), time.Duration(p.TimeoutMs)*time.Millisecond, to)
}

// exit asks for no reply, so its client may wait for the end and read nothing.
func (s *session) exit(ctx context.Context, _ *schema.Empty, to responder) {
	s.end(ctx, schema.ShutdownCancel, 0, to)
	if s.exiting {
		return
	}
	s.exiting = true
	s.tasks.Go(func() {
		if _, err := s.executor.Shutdown(ctx, schema.ShutdownCancel, 0); err == nil {
			s.out.leave(ctx)
		}
	})
}

package rpc

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// This file ends one connection of an executor that goes on.

// errLeaving answers what a connection cannot have any more because its client has
// ended it.
var errLeaving = wire.NewError(schema.CodeShuttingDown, "this connection is ending, and its tasks go on: ask on another connection")

// disconnectedReason is the reason of a task that is cancelled with its connection.
const disconnectedReason = "the connection that submitted it has ended"

// ownTasks are the tasks that a connection has submitted and that are not final, as far as the connection has
// to know them. mu of the session protects them.
type ownTasks struct {
	live map[uuid.UUID]schema.OnDisconnect
	// leaving are the shutdowns of the connection that wait until live is empty.
	leaving []func()
	ended   schema.TaskCounts // since the first of those
}

// tracks reports whether the connection has to know which of its tasks are not final: on a shared executor
// always, because the client can cancel them together, and otherwise those that end with the connection.
func (s *session) tracks(o schema.OnDisconnect) bool {
	return s.options.Shared || o == schema.OnDisconnectCancel
}

// track notes a new task of the connection. The caller holds mu.
func (s *session) track(id uuid.UUID, o schema.OnDisconnect) {
	if !s.tracks(o) {
		return
	}
	if s.own.live == nil {
		s.own.live = map[uuid.UUID]schema.OnDisconnect{}
	}
	s.own.live[id] = o
}

// ended notes that the end of a task was sent. The caller holds mu.
func (s *session) ended(ctx context.Context, t *schema.Task) {
	if _, own := s.own.live[t.ID]; !own {
		return
	}
	delete(s.own.live, t.ID)
	if len(s.own.leaving) == 0 {
		return
	}
	*s.own.ended.Of(t.State)++
	s.leaveIfOver(ctx)
}

// leaveIfOver answers the shutdowns of the connection if no task of it is left. The caller holds mu.
func (s *session) leaveIfOver(ctx context.Context) {
	if len(s.own.live) == 0 {
		s.finishLeaving(func(over func()) { s.afterEvents(ctx, over) })
	}
}

// finishLeaving calls do with the waiting shutdowns of the connection. The caller holds mu.
func (s *session) finishLeaving(do func(over func())) {
	for _, over := range s.own.leaving {
		do(over)
	}
	s.own.leaving = nil
}

// scope answers whether a shutdown ends only this connection, or why it is refused.
func (s *session) scope(asked schema.ShutdownScope) (here bool, err error) {
	switch {
	case asked == schema.ScopeExecutor, asked == "" && !s.options.Shared:
		return false, nil
	case !s.options.Shared:
		return false, invalid("/scope", "the executor serves this connection alone, and ends with it; leave the scope out")
	}
	return true, nil
}

// leave handles a shutdown of this connection. Its tasks go on, unless the mode says to cancel them; then it
// waits for their ends. Its reply is the last message.
func (s *session) leave(ctx context.Context, mode schema.ShutdownMode, to responder) {
	cost, err := s.admitShutdown(to)
	s.leaving = true
	if err != nil {
		to.fail(err)
		return
	}
	to.id = bytes.Clone(to.id) // the request is gone when the answer comes
	s.pendingShutdowns.Add(1)
	over := func() { s.left(to, cost) }
	s.mu.Lock()
	defer s.mu.Unlock()
	if mode != schema.ShutdownCancel {
		s.afterEvents(ctx, over)
		return
	}
	s.own.leaving = append(s.own.leaving, over)
	s.leaveIfOver(ctx)
	ids := slices.SortedFunc(maps.Keys(s.own.live), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	s.tasks.Go(func() {
		if err := s.cancelTasks(ctx, ids, "shutdown of the connection"); err != nil { // they are left
			s.logError(err)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.finishLeaving(func(over func()) { s.afterEvents(ctx, over) })
		}
	})
}

// left answers a shutdown of the connection, with the last message. The caller holds mu.
func (s *session) left(to responder, cost int64) {
	s.waits.failAll(s, errLeaving)
	s.budget.release(cost)
	ended := &s.own.ended
	to.value(schema.ShutdownResult{
		Completed: ended.Completed, Failed: ended.Failed, Cancelled: ended.Cancelled, Left: int64(len(s.own.live)),
	})
	if s.pendingShutdowns.Add(-1) == 0 {
		s.out.last()
	}
}

// detached ends a connection whose requests have ended, and whose executor goes on. The caller
// holds mu.
func (s *session) detached() {
	s.waits.failAll(s, errLeaving)
	s.out.last()
}

// cancelPage is how many tasks are cancelled in one call.
const cancelPage = 1000

// cancelTasks cancels tasks, or says why one of them could not be.
func (s *session) cancelTasks(ctx context.Context, ids []uuid.UUID, reason string) error {
	for len(ids) > 0 {
		answers, err := s.executor.CancelAll(ctx, ids[:min(len(ids), cancelPage)], executor.Cancellation{Reason: reason})
		if err != nil {
			return err
		}
		for i := range answers {
			if err := answers[i].Err; err != nil && !errors.Is(err, executor.ErrNotFound) {
				return taskError(err, ids[i])
			}
		}
		ids = ids[len(answers):]
	}
	return nil
}

// disconnectTimeout bounds how long the end of a connection waits for a store that
// does not answer, to cancel tasks.
const disconnectTimeout = 5 * time.Second

// cancelDisconnected cancels the tasks that are to end with the connection.
func (s *session) cancelDisconnected() {
	var ids []uuid.UUID
	s.mu.Lock()
	for id, o := range s.own.live {
		if o == schema.OnDisconnectCancel {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	if err := s.cancelTasks(ctx, ids, disconnectedReason); err != nil {
		s.log.Error("tasks that were to end with their connection go on", "error", err)
	}
}

// shutdownBegun is closed when the client of a shared executor is to be told that a
// shutdown has begun.
func (s *session) shutdownBegun() <-chan struct{} {
	if !s.options.Shared {
		return nil
	}
	return s.executor.ShutdownBegun()
}

// tellShutdown sends the client the notification that the executor is about to end.
func (s *session) tellShutdown(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterEvents(ctx, s.tellShutdownNow)
}

// tellShutdownNow is tellShutdown, once, and not to a client that has asked for the end. The caller holds mu.
func (s *session) tellShutdownNow() {
	if s.toldShutdown || !s.options.Shared || s.endsExecutor.Load() {
		return
	}
	s.toldShutdown = true
	mode, reason := s.executor.Ending()
	told := schema.ShuttingDownEvent{Mode: string(mode), Reason: reason}
	s.out.notify(schema.NotifyShuttingDown, func(b []byte) []byte { return wire.AppendJSON(b, told) })
}

package rpc

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// gatheredCancels are consecutive cancels with the same reason and force that the
// executor has not been asked for yet. The slices have the same length.
type gatheredCancels struct {
	cancellation executor.Cancellation
	ids          []uuid.UUID
	to           []responder
}

// cancel gathers a cancel; flushCancels asks for it together with its neighbours.
func (s *session) cancel(ctx context.Context, p *schema.CancelParams, to responder) {
	if err := needID(p.ID); err != nil {
		to.fail(err)
		return
	}
	asked := executor.Cancellation{Reason: p.Reason, Force: p.Force}
	if asked != s.cancels.cancellation {
		s.flushCancels(ctx)
		s.cancels.cancellation = asked
	}
	s.cancels.ids = append(s.cancels.ids, p.ID)
	s.cancels.to = append(s.cancels.to, to)
	if len(s.cancels.ids) == s.gatherMost {
		s.flushCancels(ctx)
	}
}

// flushCancels asks the executor for the gathered cancels, and answers them. If their tasks are large, the
// executor answers few at a time; in between this waits for a client that does not read.
func (s *session) flushCancels(ctx context.Context) {
	for len(s.cancels.ids) > 0 {
		s.cancelFirst(ctx)
		if len(s.cancels.ids) > 0 && s.out.unsent() > s.options.MaxUnsent {
			_ = s.out.room(ctx) // where ctx ends, the next read does
		}
	}
}

// cancelFirst asks for the gathered cancels, and answers the first ones, which the executor has answered. It
// holds mu, which the pump needs: so a cancel is answered before the end of its task is sent.
func (s *session) cancelFirst(ctx context.Context) {
	g := &s.cancels
	done := 0
	defer func() {
		n := copy(g.ids, g.ids[done:])
		copy(g.to, g.to[done:])
		clear(g.to[n:])
		g.ids, g.to = g.ids[:n], g.to[:n]
	}()
	defer s.recovered(schema.MethodCancel, func(err error) {
		for ; done < len(g.to); done++ {
			g.to[done].fail(err)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	answers, err := s.executor.CancelAll(ctx, g.ids, g.cancellation)
	if err != nil { // the error is of all cancels
		answers = slices.Repeat([]executor.CancelAnswer{{Err: err}}, len(g.ids))
	}
	for i := range answers {
		done++
		g.to[i].cancelled(g.ids[i], &answers[i])
	}
}

// cancelled answers a cancel.
func (to responder) cancelled(id uuid.UUID, a *executor.CancelAnswer) {
	if a.Err != nil {
		to.fail(taskError(a.Err, id))
		return
	}
	to.result(func(b []byte) []byte { return appendCancelled(b, a) })
}

package rpc

import (
	"context"
	"errors"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// run sends events until the context ends. If the store is closed first, no more events come, and the
// connection ends as it does with its executor.
func (s *session) run(ctx context.Context) {
	if err := s.pump(ctx); !errors.Is(err, executor.ErrClosed) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storeClosed = true
	for _, reached := range s.barriers {
		s.budget.release(barrierBytes)
		reached()
	}
	s.barriers = nil
	_ = s.answerWaits(ctx) // it fails where the connection has ended
	s.endWithoutEvents()
}

// pump sends events until the watcher or the context ends.
func (s *session) pump(ctx context.Context) error {
	defer s.leaveAll()
	for {
		err := s.out.room(ctx)
		if err == nil {
			err = context.Cause(ctx) // a task can make events faster than they are taken
		}
		if err != nil {
			return err
		}
		events, err := s.watcher.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.sendAll(ctx, events); err != nil {
			return err
		}
	}
}

// sendAll sends events. In between, each in its place, it sends past events that subscriptions have asked for
// or have missed, and the answers of waits.
func (s *session) sendAll(ctx context.Context, events []executor.Event) error {
	s.lockToSend()
	defer s.mu.Unlock()
	var behind *droppedEvents
	for i := range events {
		ev := &events[i]
		if err := s.replayBefore(ctx, ev, behind); err != nil {
			return err
		}
		if behind != nil {
			if err := s.catchUp(ctx, behind, ev); err != nil {
				return err
			}
		}
		if ev.Kind == executor.EventLag {
			behind = &droppedEvents{past: past{at: ev.Seq, through: uint64(ev.End)}}
			continue
		}
		s.event(ctx, ev)
		if err := s.answerWaits(ctx); err != nil {
			return err
		}
	}
	if behind != nil {
		return s.finishCatchingUp(ctx, behind)
	}
	return nil
}

// lockToSend locks mu, and waits while delivery is paused.
func (s *session) lockToSend() {
	s.mu.Lock()
	for s.deliveryPaused {
		s.deliveryResumed.Wait()
	}
}

// burst is about how many bytes are sent between two looks at the room for more.
const burst = 256 << 10

// awaitRoomAfterBurst waits for room in the transport, after each burst. The caller holds
// mu, which is unlocked meanwhile.
func (s *session) awaitRoomAfterBurst(ctx context.Context) error {
	if s.sent < burst {
		return nil
	}
	s.sent = 0
	s.mu.Unlock()
	err := s.out.room(ctx)
	s.lockToSend()
	return err
}

// event handles one event of the watcher. The caller holds mu.
func (s *session) event(ctx context.Context, ev *executor.Event) {
	if ev.Kind == executor.EventBarrier {
		next := s.barriers[0]
		s.barriers = s.barriers[1:]
		s.budget.release(barrierBytes)
		next()
		return
	}
	ev.Wanted = ev.Wanted || s.follows[ev.ID].Has(ev.Kind)
	s.complete(ctx, ev)
	s.deliver(ctx, ev)
	if ev.Kind == executor.EventFinished {
		if mask, ok := s.follows[ev.ID]; ok {
			delete(s.follows, ev.ID)
			s.watcher.Unfollow(ev.ID, withFinished(mask))
		}
		s.waits.finished(ctx, s, ev.Task)
		s.ended(ctx, ev.Task)
	}
}

// deliver sends an event, or holds it back if the batch of its task is not answered. The caller holds mu.
func (s *session) deliver(ctx context.Context, ev *executor.Event) {
	if h := s.held[ev.ID]; h != nil {
		s.holdBack(h, ev, (*kit.Held).AddWithin)
	} else {
		s.send(ctx, ev)
	}
}

// holdBack adds an event to those that a batch holds back. The caller holds mu.
func (s *session) holdBack(h *hold, ev *executor.Event, add func(*kit.Held, *executor.Event, int64)) {
	before := h.events.Size()
	add(&h.events, ev, s.budget.available())
	s.budget.charge(h.events.Size() - before)
}

// deliverPast delivers an event that was read from the store. It skips an event that
// a batch holds back already: that one is sent when the batch is answered. The caller holds
// mu.
func (s *session) deliverPast(ctx context.Context, ev *executor.Event) {
	h := s.held[ev.ID]
	switch {
	case h == nil:
		s.send(ctx, ev)
	case !h.has(ev):
		s.holdBack(h, ev, (*kit.Held).AddPast)
	}
}

// has reports whether an event is sent when the batch is answered.
func (h *hold) has(ev *executor.Event) bool {
	return slices.ContainsFunc(h.events.Events(), func(held executor.Event) bool {
		return held.Wanted && held.Seq == ev.Seq && held.ID == ev.ID
	})
}

// eventRoom is how many unsent bytes there may be before notifications wait, in
// the shorter form that a watcher keeps them in.
const eventRoom = 1 << 20

// eventBytes estimates the length of a notification without a result or output, in bytes.
const eventBytes = 400

// send sends an event that the client has asked for. At the end of a task it sends
// the rest of its output first. The caller holds mu.
func (s *session) send(ctx context.Context, ev *executor.Event) {
	if ev.Kind == executor.EventFinished {
		s.sendRest(ctx, ev)
	}
	switch {
	case !ev.Wanted:
		return
	case ev.Kind == executor.EventOutput:
		s.sendOutput(ctx, ev)
		return
	case ev.Kind == executor.EventFinished:
		s.sent += len(ev.Task.Result)
	}
	s.sent += eventBytes
	s.out.event(ev)
}

// release sends what a batch has held back. The caller holds mu.
func (s *session) release(ctx context.Context, h *hold) {
	for _, id := range h.ids {
		delete(s.held, id)
	}
	for _, ev := range h.events.Events() {
		if s.out.unsent() <= s.options.MaxUnsent {
			s.complete(ctx, &ev)
		}
		s.send(ctx, &ev)
	}
	s.budget.release(h.events.Size())
	*h = hold{}
}

// complete restores the result of an end that was held in brief, without it, while
// the client did not read. The caller holds mu.
func (s *session) complete(ctx context.Context, ev *executor.Event) {
	if ev.Kind == executor.EventFinished {
		ev.Task = s.restoreResult(ctx, ev.Task)
	}
}

// restoreResult answers a final task with its result, which it reads from the store if it was left out. A task
// that is no longer kept stays incomplete, and says so.
func (s *session) restoreResult(ctx context.Context, t *schema.Task) *schema.Task {
	if !t.Incomplete {
		return t
	}
	task, err := s.executor.Task(ctx, t.ID)
	if err != nil || task.CreatedAt != t.CreatedAt || task.FinishedAt != t.FinishedAt { // the id may have been used again
		return t
	}
	task.Input = nil
	return &task
}

// afterEvents sets a barrier: f is called, with mu held, when all events that have happened until now are sent.
// The caller holds mu.
func (s *session) afterEvents(ctx context.Context, f func()) {
	if s.storeClosed {
		f()
		return
	}
	s.budget.charge(barrierBytes)
	s.barriers = append(s.barriers, f)
	_ = s.watcher.Barrier(ctx) // after an error the pump ends, and does then what is left
}

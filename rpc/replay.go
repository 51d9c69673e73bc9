package rpc

import (
	"context"
	"errors"
	"slices"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// replayPage is how many tasks of the past are in memory at once: their
// results may be large.
const replayPage = 256

// past is a range of events that is read from the store.
type past struct {
	at      uint64 // events up to this number are read
	through uint64 // the last number of the range
	missed  *schema.Missed
}

// replay is the range of past events that a subscription is still to be sent.
type replay struct {
	past
	id       executor.SubscriptionID
	selector *executor.Selector
}

// replayBefore sends the past of subscriptions that began before an event. All older
// events are sent by then, so the numbers of a task's events rise. The caller holds mu, and
// unlocks it while it reads or waits for room.
func (s *session) replayBefore(ctx context.Context, ev *executor.Event, behind *droppedEvents) error {
	for len(s.replays) > 0 {
		r := s.replays[0]
		if ev.Seq < r.through || ev.Seq == r.through && ev.Kind != executor.EventBarrier {
			return nil
		}
		if behind != nil { // dropped events with lower numbers come first
			if err := s.catchUp(ctx, behind, &executor.Event{Seq: r.through, Kind: executor.EventBarrier}); err != nil {
				return err
			}
		}
		if err := s.replay(ctx, r); err != nil {
			return err
		}
		s.replays = slices.Delete(s.replays, 0, 1)
	}
	return nil
}

// replay sends the range page by page, until the subscription ends. An error means
// that the connection has ended.
func (s *session) replay(ctx context.Context, r *replay) error {
	for s.subscribed(r) {
		page, err := s.readPast(ctx, &r.past)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		if err := s.sendPage(ctx, r, page); err != nil {
			return err
		}
	}
	if s.subscribed(r) {
		s.replayed(r.id, &r.past)
	}
	return nil
}

// readPast reads the next page, which is empty at the end of the range. An error
// means that the connection has ended. The caller holds mu, which is unlocked meanwhile.
func (s *session) readPast(ctx context.Context, p *past) (page []executor.Event, err error) {
	for p.at < p.through {
		s.mu.Unlock()
		page, err = s.executor.Replay(ctx, p.at, p.through, replayPage)
		s.lockToSend()
		if over := context.Cause(ctx); over != nil {
			return nil, over
		}
		if err == nil {
			return page, nil
		}
		s.skipMissed(p, err)
	}
	return nil, nil
}

// replayed tells the client that a subscription has been sent the past.
func (s *session) replayed(id executor.SubscriptionID, p *past) {
	message := schema.ReplayedEvent{Subscription: uint32(id), Seq: p.through, Missed: p.missed}
	s.out.notify(schema.NotifyReplayed, func(b []byte) []byte { return wire.AppendJSON(b, message) })
}

// subscribed reports whether the client still wants the replay. The caller holds mu.
func (s *session) subscribed(r *replay) bool { return s.subscriptions[r.id] != nil }

// skipMissed notes events that cannot be replayed, and skips them: those that
// retention has removed since the subscription began, or all that are left where the
// store cannot be read. The caller holds mu.
func (s *session) skipMissed(p *past, err error) {
	from := p.at
	p.at = p.through
	if gone, ok := errors.AsType[*executor.EventsGoneError](err); ok {
		p.at = min(max(gone.Oldest, from+1), p.through) // it goes on whatever a store answers
	}
	if p.missed == nil {
		p.missed = &schema.Missed{After: from}
	}
	p.missed.Through = p.at
	s.log.Warn("a subscription misses events of the past", "after", from, "through", p.at, "error", err)
}

func (s *session) sendPage(ctx context.Context, r *replay, page []executor.Event) error {
	for i := range page {
		if !s.subscribed(r) {
			r.at = r.through
			return nil
		}
		ev := &page[i]
		r.at = ev.Seq
		if wanted, _ := r.selector.Selects(ev); !wanted {
			continue
		}
		ev.Wanted = true
		s.deliverPast(ctx, ev)
		if err := s.awaitRoomAfterBurst(ctx); err != nil {
			return err
		}
	}
	return nil
}

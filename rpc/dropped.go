package rpc

import (
	"context"
	"maps"
	"slices"

	"github.com/jobline/jobline/executor"
)

// droppedEvents is what of the events, that only subscriptions want, was dropped because
// the client was slow. The ends among them are read again from the store.
type droppedEvents struct {
	past
	page []executor.Event // read, and not sent
}

// catchUp sends the ends that were dropped before an event, so that the numbers
// on a connection rise. The event itself may be an end that the store answers,
// too. It needs mu, and lets go of it while it reads or waits for room.
func (s *session) catchUp(ctx context.Context, l *droppedEvents, next *executor.Event) error {
	for {
		if len(l.page) == 0 {
			page, err := s.readPast(ctx, &l.past)
			if err != nil || len(page) == 0 {
				return err
			}
			l.page = page
		}
		ev := l.page[0]
		if ev.Seq > next.Seq {
			return nil
		}
		l.page, l.at = l.page[1:], ev.Seq
		itself := ev.Seq == next.Seq && next.Kind != executor.EventBarrier
		if itself || ev.Kind != executor.EventFinished || !s.selected(&ev) {
			continue
		}
		s.deliverPast(ctx, &ev)
		if err := s.awaitRoomAfterBurst(ctx); err != nil {
			return err
		}
	}
}

// selected reports whether a subscription wants an event that was dropped, or
// is to be told of it, and notes which. It needs mu.
func (s *session) selected(ev *executor.Event) (concerned bool) {
	for _, sub := range s.subscriptions {
		if sub.since < ev.Seq {
			wanted, also := sub.selector.Selects(ev)
			ev.Wanted, concerned = ev.Wanted || wanted, concerned || also
		}
	}
	return concerned
}

// finishCatchingUp sends the rest of what was dropped, and tells the subscriptions.
func (s *session) finishCatchingUp(ctx context.Context, l *droppedEvents) error {
	if err := s.catchUp(ctx, l, &executor.Event{Seq: l.through, Kind: executor.EventBarrier}); err != nil {
		return err
	}
	if l.missed != nil {
		s.forgetRemovedTasks(ctx)
	}
	for _, id := range slices.Sorted(maps.Keys(s.subscriptions)) {
		if s.subscriptions[id].since < l.through {
			s.replayed(id, &l.past)
		}
	}
	return nil
}

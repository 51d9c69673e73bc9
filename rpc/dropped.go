package rpc

import (
	"context"
	"maps"
	"slices"

	"github.com/jobline/jobline/executor"
)

// droppedEvents is a range of events that were dropped because the client was slow. They are of tasks that the
// client only subscribes to. The ends of tasks among them are read from the store again, and sent.
type droppedEvents struct {
	past
	page []executor.Event // read from the store, and not sent yet
}

// catchUp sends the dropped ends with lower numbers than the next event, so that the numbers on a connection
// rise. The store may answer the next event, too, which is skipped. The caller holds mu, which is unlocked
// while it reads or waits for room.
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

// selected reports whether a dropped event concerns a subscription. It sets ev.Wanted if a subscription has
// asked for the event itself. The caller holds mu.
func (s *session) selected(ev *executor.Event) (concerned bool) {
	for _, sub := range s.subscriptions {
		if sub.since < ev.Seq {
			wanted, also := sub.selector.Selects(ev)
			ev.Wanted, concerned = ev.Wanted || wanted, concerned || also
		}
	}
	return concerned
}

// finishCatchingUp sends the rest of the dropped ends, and a subscription/replayed to
// each subscription that has missed events.
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

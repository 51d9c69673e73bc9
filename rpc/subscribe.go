package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// maxSubscriptions bounds the subscriptions of a connection: every event is matched
// with each of them.
const maxSubscriptions = 64

// subscription selects events with numbers above since.
type subscription struct {
	selector *executor.Selector
	since    uint64
}

// subscribe begins a subscription. Its reply comes before its events: it holds mu,
// for which the pump waits.
func (s *session) subscribe(ctx context.Context, p *schema.SubscribeParams, to responder) {
	selector, err := s.selectorOf(p)
	if err == nil && to.batch != nil && to.batch.hold.hasLateReply {
		err = wire.NewError(schema.CodeInvalidRequest,
			"a batch with subscribe has no wait, shutdown or exit: its events would have to wait for their replies; send it alone")
	}
	if err != nil {
		to.fail(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkSubscribe(ctx, p.After); err != nil {
		to.fail(err)
		return
	}
	id, seq, err := s.watcher.Subscribe(ctx, *selector)
	if err != nil {
		to.fail(err)
		return
	}
	s.subscriptions[id] = &subscription{selector, seq}
	result := schema.SubscribeResult{Subscription: uint32(id), Seq: seq}
	if p.After != nil {
		result.Gap = *p.After < seq
		s.replays = append(s.replays, &replay{past{at: *p.After, through: seq}, id, selector})
		s.afterEvents(ctx, func() {}) // wakes the pump
	}
	if to.batch != nil {
		s.deliveryPaused = true
	}
	to.value(result)
}

// checkSubscribe says why one more subscription is refused, or nil. It also refuses
// an after whose events are no longer kept. The caller holds mu.
func (s *session) checkSubscribe(ctx context.Context, after *uint64) error {
	if len(s.subscriptions) >= maxSubscriptions {
		e := wire.NewError(schema.CodeQueueFull, "this connection has %d subscriptions, the limit; end some with unsubscribe", maxSubscriptions)
		e.Data.Limit = maxSubscriptions
		return e
	}
	if after == nil {
		return nil
	}
	if s.budget.available() < barrierBytes {
		return s.overBudget(barrierBytes)
	}
	latest, err := s.latestSeq(ctx)
	if err != nil {
		return err
	}
	if *after > latest {
		return invalid("/after", fmt.Sprintf("%d is beyond %d, the seq of the latest event; it is of another store: subscribe without after", *after, latest))
	}
	_, err = s.executor.Replay(ctx, *after, latest, 1)
	return err
}

// latestSeq is the number of the latest event.
func (s *session) latestSeq(ctx context.Context) (uint64, error) {
	nothing, latest, err := s.watcher.Subscribe(ctx, executor.Selector{})
	if err == nil {
		s.watcher.Unsubscribe(nothing)
	}
	return latest, err
}

// selectorOf makes the selector of a subscribe. It may name types that this program
// does not have: a durable store can have tasks of them.
func (s *session) selectorOf(p *schema.SubscribeParams) (*executor.Selector, error) {
	events, err := executor.EventMaskOf(p.Events)
	if err == nil {
		err = executor.CheckLabels(maps.All(p.Labels))
	}
	if err != nil {
		return nil, err
	}
	selector := &executor.Selector{Types: s.typeNames(p.Types), Labels: p.Labels, States: p.States, Events: events}
	if len(p.IDs) > 0 {
		selector.IDs = make(map[uuid.UUID]bool, len(p.IDs))
		for _, id := range p.IDs {
			selector.IDs[id] = true
		}
	}
	return selector, nil
}

// typeNames are the names of types, with aliases replaced.
func (s *session) typeNames(given []string) map[string]bool {
	if len(given) == 0 {
		return nil
	}
	byAlias := map[string]string{}
	for _, info := range s.executor.Types() {
		for _, alias := range info.Aliases {
			byAlias[alias] = info.Name
		}
	}
	names := make(map[string]bool, len(given))
	for _, name := range given {
		names[cmp.Or(byAlias[name], name)] = true
	}
	return names
}

// unsubscribe ends a subscription, also while it is sent past events. Events that
// have happened already may still be sent.
func (s *session) unsubscribe(ctx context.Context, p *schema.UnsubscribeParams, to responder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := executor.SubscriptionID(p.Subscription)
	ended, known := s.subscriptions[id]
	if !known {
		to.fail(invalid("/subscription", fmt.Sprintf("%d is no subscription of this connection; give a number that subscribe has answered", p.Subscription)))
		return
	}
	s.watcher.Unsubscribe(id)
	delete(s.subscriptions, id)
	for _, r := range s.replays {
		if r.id == id {
			r.selector = nil // the replay ends before it is used again
		}
	}
	if ended.selector.Events.Has(executor.EventOutput) {
		s.dropUnwantedOutputLater(ctx)
	}
	to.value(schema.Empty{})
}

// wantsOutput reports whether a subscription asks for the output of a running task.
// The caller holds mu.
func (s *session) wantsOutput(t *schema.Task) bool {
	written := executor.Event{ID: t.ID, Kind: executor.EventOutput, Task: t}
	for _, sub := range s.subscriptions {
		if wanted, _ := sub.selector.Selects(&written); wanted {
			return true
		}
	}
	return false
}

// forgetRemovedTasks forgets the cursors of tasks that are no longer kept, since no
// end of theirs will come. The caller holds mu.
func (s *session) forgetRemovedTasks(ctx context.Context) {
	for id := range s.subscribedOutput {
		if _, err := s.executor.Task(ctx, id); errors.Is(err, executor.ErrNotFound) {
			delete(s.subscribedOutput, id)
		}
	}
}

// dropUnwantedOutputLater calls dropUnwantedOutput when all events of the ended
// subscriptions are sent. Any number of them shares one barrier. The caller holds mu.
func (s *session) dropUnwantedOutputLater(ctx context.Context) {
	if s.endedOutputs++; s.endedOutputs > 1 {
		return
	}
	s.afterEvents(ctx, func() {
		again := s.endedOutputs > 1
		s.endedOutputs = 0
		s.dropUnwantedOutput()
		if again { // subscriptions have ended since: their events may come after this barrier
			s.dropUnwantedOutputLater(ctx)
		}
	})
}

// dropUnwantedOutput forgets the cursors of output that no subscription asks for any
// more, since the ends of those tasks will not come. The caller holds mu.
func (s *session) dropUnwantedOutput() {
	for id, heard := range s.subscribedOutput {
		if !s.wantsOutput(heard.task) {
			delete(s.subscribedOutput, id)
		}
	}
}

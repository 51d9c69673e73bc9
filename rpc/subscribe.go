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

// maxSubscriptions bounds the subscriptions of a connection: every event is
// held against each of them.
const maxSubscriptions = 64

// subscription is what a client has asked for of the events after since.
type subscription struct {
	selector *executor.Selector
	since    uint64
}

// subscribe adds events of any task to those that the client is sent. They
// come from the pump, which waits for mu: so the reply comes first.
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
	id, seq := s.watcher.Subscribe(*selector)
	s.subscriptions[id] = &subscription{selector, seq}
	result := schema.SubscribeResult{Subscription: uint32(id), Seq: seq}
	if p.After != nil {
		result.Gap = *p.After < seq
		s.replays = append(s.replays, &replay{past{at: *p.After, through: seq}, id, selector})
		s.afterEvents(func() {}) // so that the pump comes by
	}
	if to.batch != nil {
		s.deliveryPaused = true
	}
	to.value(result)
}

// checkSubscribe says what is against one more subscription; it needs mu. What
// is no longer kept is told here, while nothing has begun.
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
	nothing, latest := s.watcher.Subscribe(executor.Selector{}) // for the number alone
	s.watcher.Unsubscribe(nothing)
	if *after > latest {
		return invalid("/after", fmt.Sprintf("%d is beyond %d, the seq of the latest event; it is of another store: subscribe without after", *after, latest))
	}
	_, err := s.executor.Replay(ctx, *after, latest, 1)
	return err
}

// selectorOf reads which events are meant. A type that this program does not
// have may be named: a durable store can have tasks of it.
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

// typeNames are the names that stand for themselves or are aliases.
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

// unsubscribe ends a subscription, also where it is still being sent the past.
// What has happened already may still be sent.
func (s *session) unsubscribe(_ context.Context, p *schema.UnsubscribeParams, to responder) {
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
			r.selector = nil // it is not asked any more
		}
	}
	if ended.selector.Events.Has(executor.EventOutput) {
		s.dropUnwantedOutputLater()
	}
	to.value(schema.Empty{})
}

// wantsOutput reports whether a subscription asks for the output of a running task;
// it needs mu.
func (s *session) wantsOutput(t *schema.Task) bool {
	written := executor.Event{ID: t.ID, Kind: executor.EventOutput, Task: t}
	for _, sub := range s.subscriptions {
		if wanted, _ := sub.selector.Selects(&written); wanted {
			return true
		}
	}
	return false
}

// forgetRemovedTasks forgets how far output was sent of tasks that are no longer kept:
// nobody will tell of their ends. It needs mu.
func (s *session) forgetRemovedTasks(ctx context.Context) {
	for id := range s.subscribedOutput {
		if _, err := s.executor.Status(ctx, id); errors.Is(err, executor.ErrNotFound) {
			delete(s.subscribedOutput, id)
		}
	}
}

// dropUnwantedOutputLater lets dropUnwantedOutput follow on all events of the subscriptions that have
// ended, with one mark for any number of them. It needs mu.
func (s *session) dropUnwantedOutputLater() {
	if s.endedOutputs++; s.endedOutputs > 1 {
		return
	}
	s.afterEvents(func() {
		again := s.endedOutputs > 1
		s.endedOutputs = 0
		s.dropUnwantedOutput()
		if again { // the events of those that have ended since may be behind the mark
			s.dropUnwantedOutputLater()
		}
	})
}

// dropUnwantedOutput forgets how far output was sent that no subscription asks for
// any more: nobody will tell of the end of those tasks. It needs mu.
func (s *session) dropUnwantedOutput() {
	for id, heard := range s.subscribedOutput {
		if !s.wantsOutput(heard.task) {
			delete(s.subscribedOutput, id)
		}
	}
}

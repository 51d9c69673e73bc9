package history

import (
	"math"
	"slices"

	"github.com/jobline/jobline/schema"
)

// subscriptionsHold: guarantee 9. All events that a subscription has asked for come, as
// past or as new events, and none is missing between the two.
func (x *index) subscriptionsHold() {
	for _, s := range x.subscriptions {
		if want := s.params.After != nil && *s.params.After < s.result.Seq; s.result.Gap != want {
			x.failRequest("9", s.request, "gap is %t, and should be %t", s.result.Gap, want)
		}
		if s.params.After != nil && s.ended == math.MaxInt && s.replayed == math.MaxInt {
			x.failRequest("9", s.request, "its subscription/replayed never came")
		}
		for _, t := range x.order {
			x.endIsSent(s, t)
			x.startIsSent(s, t)
		}
	}
}

// endIsSent holds for every task: all have ended at the end of a history.
func (x *index) endIsSent(s *subscription, t *task) {
	if t.finished == 0 || t.final == nil || !s.selects(t.final, schema.EventFinished, t.final.State) {
		return
	}
	if t.droppedFor(s.request.client) {
		return
	}
	before := s.replayed
	if t.heldFor(s.request.client, before) {
		before = math.MaxInt
	}
	past := s.params.After != nil && *s.params.After < t.finished && t.finished <= s.result.Seq
	lost := s.missed != nil && s.missed.After < t.finished && t.finished <= s.missed.Through
	switch {
	case past && s.replayed < math.MaxInt && !lost && !t.told(s, schema.NotifyFinished, before):
		x.fail("9", t, "subscription %d of client %d replays what came after %d, and not its end at %d", s.result.Subscription, s.request.client, *s.params.After, t.finished)
	case t.finished > s.result.Seq && s.ended == math.MaxInt && !t.told(s, schema.NotifyFinished, math.MaxInt):
		x.fail("9", t, "subscription %d of client %d began at %d, and is not told of its end at %d", s.result.Subscription, s.request.client, s.result.Seq, t.finished)
	}
}

// startIsSent holds for every start after the begin of the subscription, unless the
// client was so slow that starts were dropped.
func (x *index) startIsSent(s *subscription, t *task) {
	if t.started <= s.result.Seq || t.final == nil || s.ended < math.MaxInt || x.client(s.request.client).fellBack ||
		!s.selects(t.final, schema.EventStarted, schema.Running) {
		return
	}
	if !t.told(s, schema.NotifyStarted, math.MaxInt) {
		x.fail("9", t, "subscription %d of client %d began at %d, and is not told of its start at %d", s.result.Subscription, s.request.client, s.result.Seq, t.started)
	}
}

// heldFor reports whether the task is of a batch of the client that is not answered at
// an entry: the batch holds the task's events back.
func (t *task) heldFor(client, at int) bool {
	return t.fresh != nil && t.fresh.batch && t.fresh.client == client && t.fresh.answer.at > at
}

// droppedFor reports whether a batch that the client did not wait for may have made the
// task: what the batch held back has gone with the connection.
func (t *task) droppedFor(client int) bool {
	return t.fresh == nil && t.lostBatch(client, func(*request) bool { return true })
}

// lostBatch reports whether the client has submitted the task in a batch for whose answer
// it did not wait, by a request that fits.
func (t *task) lostBatch(client int, fits func(*request) bool) bool {
	return slices.ContainsFunc(t.lost, func(s *request) bool { return s.batch && s.client == client && fits(s) })
}

// told reports whether the client was sent a notification between the answer
// of a subscription and an entry.
func (t *task) told(s *subscription, method string, before int) bool {
	for _, ev := range t.events {
		if ev.client == s.request.client && ev.method == method && s.request.answer.at < ev.at && ev.at < before {
			return true
		}
	}
	return false
}

// eventsWereAskedFor: guarantee 9: each notification was asked for by a submit or a
// subscription that was answered before it.
func (x *index) eventsWereAskedFor() {
	byClient := map[int][]*subscription{}
	for _, s := range x.subscriptions {
		byClient[s.request.client] = append(byClient[s.request.client], s)
	}
	for _, ev := range x.events {
		t := x.tasks[ev.ID]
		if t.submitAsks(ev) {
			continue
		}
		shown := t.anySighting()
		if shown == nil {
			continue
		}
		asked, later := false, false
		for _, s := range byClient[ev.client] {
			if s.brings(ev, shown) {
				asked = asked || s.request.answer.at < ev.at
				later = later || s.request.answer.at > ev.at
			}
		}
		switch {
		case asked:
		case later:
			x.fail("9", t, "client %d was sent %s (seq %d) before the reply to the subscribe that brings it", ev.client, ev.method, ev.Seq)
		default:
			x.fail("9", t, "client %d was sent %s (seq %d), for which nothing asks", ev.client, ev.method, ev.Seq)
		}
	}
}

func (t *task) submitAsks(ev *event) bool {
	asks := func(s *request) bool {
		return s.client == ev.client && s.at < ev.at && submitAsks(s.params.(*schema.SubmitParams), kindOf(ev.method))
	}
	if slices.ContainsFunc(t.submits, asks) {
		return true
	}
	// A batch holds back no events of a task that was there before it.
	return t.fresh != nil && t.lostBatch(ev.client, asks)
}

// anySighting is the task in any message; only members that never change are used.
func (t *task) anySighting() *schema.Task {
	if t.final != nil {
		return t.final
	}
	for i := range t.sightings {
		if t.sightings[i].task != nil {
			return t.sightings[i].task
		}
	}
	return nil
}

// brings reports whether a subscription asks for an event, past or new.
func (s *subscription) brings(ev *event, shown *schema.Task) bool {
	state := schema.Running
	if ev.task != nil {
		state = ev.task.State
	}
	if !s.selects(shown, kindOf(ev.method), state) || ev.Seq > s.endSeq {
		return false
	}
	return ev.Seq > s.result.Seq || s.params.After != nil && *s.params.After < ev.Seq
}

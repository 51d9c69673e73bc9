package history

import (
	"math"
	"slices"

	"github.com/jobline/jobline/schema"
)

// bound is what the answer of a request proves: when the request was handled, the
// event with the seq had not happened.
type bound struct {
	sent int // the entry of the request
	seq  uint64
}

// queuedBy answers a seq for each task: the task was in the queue before the event
// with that seq happened. It is proven by a later request, which was handled before
// the event.
func (x *index) queuedBy() map[*task]uint64 {
	var all []bound
	for _, rq := range x.requests {
		if seq := x.proves(rq); seq != math.MaxUint64 {
			all = append(all, bound{rq.at, seq})
		}
	}
	for i := len(all) - 2; i >= 0; i-- { // the least bound of all requests from here on
		all[i].seq = min(all[i].seq, all[i+1].seq)
	}
	queued := map[*task]uint64{}
	for _, c := range x.clients {
		least := uint64(math.MaxUint64)
		for _, rq := range slices.Backward(c.requests) {
			least = min(least, x.proves(rq))
			r, ok := answerOf[*schema.SubmitResult](rq)
			if !ok || x.tasks[r.ID].fresh != rq {
				continue
			}
			after, _ := slices.BinarySearchFunc(all, rq.answer.at, func(b bound, at int) int { return b.sent - at })
			queued[x.tasks[r.ID]] = least
			if after < len(all) {
				queued[x.tasks[r.ID]] = min(least, all[after].seq)
			}
		}
	}
	return queued
}

// answerOf is the result of a request, or nil where it has none of this type.
func answerOf[T any](rq *request) (result T, ok bool) {
	if rq.answer != nil {
		result, ok = rq.answer.result.(T)
	}
	return result, ok
}

// proves is the least seq that was not reached when a request was handled: a task
// that its answer shows as queued had not started, and one shown as running had not
// ended.
func (x *index) proves(rq *request) uint64 {
	least := uint64(math.MaxUint64)
	if rq.answer == nil {
		return least
	}
	if r, ok := rq.answer.result.(*schema.SubscribeResult); ok {
		return r.Seq + 1 // r.Seq itself was reached
	}
	for _, shown := range tasksIn(rq.answer.result) {
		t := x.tasks[shown.ID]
		if rankOf(shown.State) == rankQueued && t.started != 0 {
			least = min(least, t.started)
		}
		if rankOf(shown.State) <= rankRunning && t.finished != 0 {
			least = min(least, t.finished)
		}
	}
	return least
}

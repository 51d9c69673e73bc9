package history

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Check answers which guarantees are broken in a history. The server must have kept
// every task, and the history must have all that each connection was sent until
// after the end of the last task.
func Check(h *History) []Violation {
	x := build(h)
	for _, check := range []func(*index){
		(*index).answeredOnce, (*index).errorsHaveCauses, (*index).connectionsEnd, (*index).submitsAreIdempotent,
		(*index).repliesBeforeEvents, (*index).eventsInOrder, (*index).numbersRise, (*index).endsOnce, (*index).outcomesAreTheirOwn,
		(*index).admittedInOrder, (*index).limitHolds, (*index).limitIsShown, (*index).startsInOrder, (*index).startsAtOnce,
		(*index).timesHold, (*index).dependenciesHold, (*index).lanesHold, (*index).treesHold, (*index).outputIsWhole, (*index).neverOlder, (*index).waitsHold, (*index).subscriptionsHold,
		(*index).eventsWereAskedFor, (*index).pagesAreWhole, (*index).reachedWhileRunning, (*index).inputsArrive,
	} {
		check(x)
	}
	return x.found
}

// answeredOnce: every request with an id has an answer. That none has two was checked
// when the history was read.
func (x *index) answeredOnce() {
	for _, rq := range x.requests {
		if rq.id != "" && rq.answer == nil && !x.client(rq.client).cut {
			x.failRequest("answers", rq, "it was never answered")
		}
	}
}

// errorsHaveCauses: a request fails only where it deserves that.
func (x *index) errorsHaveCauses() {
	for _, rq := range x.requests {
		if rq.answer == nil || rq.answer.err == nil {
			continue
		}
		switch e := rq.answer.err; e.Code {
		case schema.CodeTaskNotFound:
			x.notFound(rq)
		case schema.CodeIDConflict:
			x.conflicts(rq)
		case schema.CodeRequestCancelled:
			if !x.client(rq.client).cancelled[rq.id] {
				x.failRequest("answers", rq, "it was cancelled, and nobody asked for that")
			}
		case schema.CodeNotPermitted:
			x.unreachable(rq)
		case schema.CodeInvalidParams:
			x.noParent(rq)
		case schema.CodeShuttingDown:
			if rq.method != schema.MethodWait || x.client(rq.client).left > rq.answer.at {
				x.failRequest("answers", rq, "it was refused because of an end that nobody has asked for")
			}
		default:
			if e.Code != schema.CodeInvalidRequest || !x.waitsForItself(rq) {
				x.failRequest("answers", rq, "an error without a cause: %s (%d)", e.Message, e.Code)
			}
		}
	}
}

// waitsForItself reports whether a request submits a task again as lossless while the
// batch that has submitted it is not answered: the task would wait for its output,
// and the batch holds that back.
func (x *index) waitsForItself(rq *request) bool {
	p, ok := rq.params.(*schema.SubmitParams)
	if !ok || p.Output != schema.OutputLossless || x.tasks[p.ID] == nil {
		return false
	}
	t := x.tasks[p.ID]
	return slices.ContainsFunc(slices.Concat(t.submits, t.lost), func(s *request) bool {
		return s.batch && s.client == rq.client && s.position < rq.position && (s.answer == nil || s.answer.at > rq.answer.at)
	})
}

// notFound: a task is found by every request that was sent on its connection
// after the submit, and by any that was sent after the submit was answered.
func (x *index) notFound(rq *request) {
	for _, id := range idsOf(rq) {
		t := x.tasks[id]
		if t == nil || !strings.Contains(rq.answer.err.Message, id.String()) {
			continue
		}
		for _, s := range t.submits {
			if s.client == rq.client && s.position < rq.position {
				x.failRequest("4", rq, "it does not find task %s, which its connection has submitted before", id)
				return
			}
			if s.answer.at < rq.at {
				x.failRequest("1", rq, "it does not find task %s, whose submit was answered before", id)
				return
			}
		}
	}
}

// idsOf are the ids of tasks in the params of a request.
func idsOf(rq *request) []uuid.UUID {
	switch p := rq.params.(type) {
	case *schema.StatusParams:
		return []uuid.UUID{p.ID}
	case *schema.CancelParams:
		return []uuid.UUID{p.ID}
	case *schema.OutputParams:
		return []uuid.UUID{p.ID}
	case *schema.InputParams:
		return []uuid.UUID{p.ID}
	case *schema.SignalParams:
		return []uuid.UUID{p.ID}
	case *schema.ResizeParams:
		return []uuid.UUID{p.ID}
	case *schema.WaitParams:
		return p.IDs
	}
	return nil
}

// conflicts: an id is refused only where a different task has it.
func (x *index) conflicts(rq *request) {
	p := rq.params.(*schema.SubmitParams)
	if t := x.tasks[p.ID]; t != nil {
		for _, s := range slices.Concat(t.submits, t.lost) {
			if !sameTask(p, s.params.(*schema.SubmitParams)) {
				return
			}
		}
	}
	x.failRequest("submits", rq, "its id is refused, and no other task has it")
}

func sameTask(a, b *schema.SubmitParams) bool {
	return a.Type == b.Type && cmp.Or(string(a.Input), "{}") == cmp.Or(string(b.Input), "{}")
}

// submitsAreIdempotent: of all submits with one id and input one makes the task, and
// the others are answered with it.
func (x *index) submitsAreIdempotent() {
	for _, t := range x.order {
		for _, s := range t.submits {
			if !s.answer.result.(*schema.SubmitResult).Existing && s != t.fresh {
				x.fail("submits", t, "two submits were both answered as new")
			}
			if !sameTask(s.params.(*schema.SubmitParams), t.submits[0].params.(*schema.SubmitParams)) {
				x.fail("submits", t, "two submits that differ were both accepted")
			}
		}
		if len(t.submits) > 0 && t.fresh == nil && len(t.lost) == 0 {
			x.fail("submits", t, "every submit was answered as existing")
		}
	}
}

// repliesBeforeEvents: guarantee 1.
func (x *index) repliesBeforeEvents() {
	for _, t := range x.order {
		for _, ev := range t.events {
			if t.fresh != nil && ev.client == t.fresh.client && ev.at < t.fresh.answer.at {
				x.fail("1", t, "client %d was sent %s before the reply to its submit", ev.client, ev.method)
			}
		}
	}
}

// admittedInOrder: guarantee 4. Of two submits with one id on one connection the
// first makes the task. No answer shows a state that is older than in the answer of
// an earlier request.
func (x *index) admittedInOrder() {
	for _, t := range x.order {
		for _, s := range t.submits {
			if t.fresh != nil && s.client == t.fresh.client && s.position < t.fresh.position {
				x.fail("4", t, "an earlier submit of it, %s, is answered as existing, a later one, %s, as new", s.id, t.fresh.id)
			}
		}
		x.shownInOrder(t)
	}
}

func (x *index) shownInOrder(t *task) {
	best := map[int]*sighting{} // by client: the latest state in an answer so far
	answers := []*sighting{}
	for i := range t.sightings {
		if t.sightings[i].request != nil {
			answers = append(answers, &t.sightings[i])
		}
	}
	slices.SortStableFunc(answers, func(a, b *sighting) int { return a.request.position - b.request.position })
	for _, s := range answers {
		before := best[s.client]
		if before != nil && s.rank < before.rank {
			x.fail("4", t, "on client %d request %s shows it in an older state than %s, which was sent before", s.client, s.request.id, before.request.id)
		}
		if s.request.method != schema.MethodWait && (before == nil || s.rank > before.rank) {
			best[s.client] = s
		}
	}
}

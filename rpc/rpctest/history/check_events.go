package history

import (
	"math"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/jobline/jobline/schema"
)

// told is which events of one task one client was sent so far.
type told struct {
	seq           uint64
	started, more bool // its start; its progress or output
	over          bool
	progress      float64
}

// eventsInOrder: guarantee 2.
func (x *index) eventsInOrder() {
	for _, t := range x.order {
		byClient := map[int]*told{}
		for _, ev := range t.events {
			of := byClient[ev.client]
			if of == nil {
				of = new(told)
				byClient[ev.client] = of
			}
			x.eventInOrder(t, ev, of)
		}
		if t.final != nil && t.final.StartedAt == 0 && t.started != 0 {
			x.fail("2", t, "it was cancelled in the queue, and its start was told")
		}
	}
}

func (x *index) eventInOrder(t *task, ev *event, of *told) {
	again := len(ev.replays) > 0 // it may be a replay
	asked := t.fresh != nil && t.fresh.client == ev.client && asks(t.fresh.params.(*schema.SubmitParams).Events, schema.EventStarted)
	ran := ev.task == nil || ev.task.StartedAt != 0 && !mayNotHaveBegun(ev.task)
	switch {
	case again:
	case ev.Seq <= of.seq:
		x.fail("2", t, "client %d was sent %s with seq %d after seq %d", ev.client, ev.method, ev.Seq, of.seq)
	case of.over:
		x.fail("2", t, "client %d was sent %s after task/finished", ev.client, ev.method)
	case ev.method == schema.NotifyStarted && of.more:
		x.fail("2", t, "client %d was sent task/started after progress or output", ev.client)
	}
	if asked && ran && !of.started && ev.method != schema.NotifyStarted {
		x.fail("2", t, "client %d was sent %s before task/started", ev.client, ev.method)
	}
	of.seq = max(of.seq, ev.Seq)
	switch ev.method {
	case schema.NotifyStarted:
		of.started = true
	case schema.NotifyFinished:
		of.over = true
	case schema.NotifyProgress:
		var value float64
		if err := json.Unmarshal(ev.Progress, &value); err != nil || value < of.progress {
			x.fail("2", t, "client %d was sent progress %s after %v", ev.client, ev.Progress, of.progress)
		}
		of.progress = value
		of.more = true
	default:
		of.more = true
	}
}

// mayNotHaveBegun reports whether a task that has ended may have been told to stop before it
// said that it had begun. A reading task says that itself, so there is no task/started then.
func mayNotHaveBegun(t *schema.Task) bool {
	return t.Type == readingType && t.State != schema.Completed
}

// numbersRise: a client can go on after the highest seq that it has seen, so the
// notifications of a connection come in the order of seq. Replays, and events that a
// batch has held back, are left out.
func (x *index) numbersRise() {
	highest := map[int]*event{}
	for _, ev := range x.events {
		t := x.tasks[ev.ID]
		held := t.fresh != nil && t.fresh.batch && t.fresh.client == ev.client
		if held || len(ev.replays) > 0 {
			continue
		}
		if before := highest[ev.client]; before != nil && before.Seq > ev.Seq {
			x.fail("9", t, "client %d was sent seq %d after %d of task %s: who goes on from there would miss it", ev.client, ev.Seq, before.Seq, before.ID)
			continue
		}
		highest[ev.client] = ev
	}
}

// endsOnce: guarantee 3.
func (x *index) endsOnce() {
	for _, t := range x.order {
		if len(t.submits) == 0 {
			continue
		}
		if t.final == nil {
			x.fail("3", t, "it has no end")
			continue
		}
		for _, s := range t.sightings {
			if s.rank == rankFinal && !sameEnd(s.task, t.final) {
				x.fail("3", t, "client %d is shown another end than others: %s at %s, and %s at %s",
					s.client, s.task.State, s.task.FinishedAt, t.final.State, t.final.FinishedAt)
			}
		}
		x.endSentOnce(t)
	}
}

func sameEnd(a, b *schema.Task) bool {
	return a.State == b.State && a.FinishedAt == b.FinishedAt && a.StartedAt == b.StartedAt &&
		(a.Error == nil) == (b.Error == nil) && (a.Error == nil || a.Error.Kind == b.Error.Kind) && string(a.Result) == string(b.Result)
}

// endSentOnce: every client that asked for the end is sent it once; each replay may
// send it once more.
func (x *index) endSentOnce(t *task) {
	ends, replays := map[int]int{}, map[int]map[*subscription]bool{}
	for _, ev := range t.events {
		if ev.method != schema.NotifyFinished {
			continue
		}
		ends[ev.client]++
		if replays[ev.client] == nil {
			replays[ev.client] = map[*subscription]bool{}
		}
		for _, s := range ev.replays {
			replays[ev.client][s] = true
		}
	}
	for n := range x.clients {
		if ends[n] > 1+len(replays[n]) {
			x.fail("3", t, "client %d was sent task/finished %d times", n, ends[n])
		}
		if ends[n] == 0 && t.endIsDue(n) && x.hearsAll(n, t) {
			x.fail("3", t, "client %d has asked for task/finished and was never sent it", n)
		}
	}
}

// hearsAll reports whether a connection was there until the end of the task: it was not
// ended, or its end has cancelled the task.
func (x *index) hearsAll(client int, t *task) bool {
	c := x.client(client)
	return c.left == math.MaxInt || c.cancelsAll() && t.fresh != nil && t.fresh.client == client
}

// endIsDue reports whether a submit of the client asks for the end: the submit that
// made the task, or one that was answered before the task was final.
func (t *task) endIsDue(client int) bool {
	for _, s := range t.submits {
		if s.client == client && asks(s.params.(*schema.SubmitParams).Events, schema.EventFinished) &&
			!s.answer.result.(*schema.SubmitResult).State.Final() {
			return true
		}
	}
	return false
}

// outcomesAreTheirOwn: guarantee 6, for outcomes: how a task ends depends on its type,
// its time-out and its cancels, and on no other task.
func (x *index) outcomesAreTheirOwn() {
	for _, t := range x.order {
		if len(t.submits) == 0 || t.final == nil {
			continue
		}
		p := t.submits[0].params.(*schema.SubmitParams)
		if why := wrongOutcome(p, t.final, x.mayBeCancelled(t), x.mayTimeOut(t)); why != "" {
			x.fail("6", t, "%s", why)
		}
	}
	for _, rq := range x.requests {
		if rq.answer == nil || rq.method != schema.MethodCancel || rq.answer.err != nil {
			continue
		}
		r := rq.answer.result.(*schema.CancelResult)
		end := x.tasks[r.Task.ID].final
		switch {
		case end == nil:
		case r.Outcome == schema.OutcomeCancelled && (end.State != schema.Cancelled || end.StartedAt != 0):
			x.failRequest("3", rq, "the task was cancelled in the queue, and ended as %s", end.State)
		case (r.Outcome == schema.OutcomeCancelling) == r.Task.State.Final():
			x.failRequest("3", rq, "the outcome is %s, and the task is %s", r.Outcome, r.Task.State)
		}
	}
}

// mayTimeOut reports whether the submit that made the task has a time-out.
func (x *index) mayTimeOut(t *task) bool {
	made := t.lost
	if t.fresh != nil {
		made = []*request{t.fresh}
	}
	return slices.ContainsFunc(made, func(s *request) bool { return s.params.(*schema.SubmitParams).TimeoutMs > 0 })
}

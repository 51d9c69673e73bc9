package history

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// neverOlder: guarantee 8. No reply shows a task in an older state than its connection
// was sent before, or than any client had seen when the request was sent.
func (x *index) neverOlder() {
	for _, t := range x.order {
		for i := range t.sightings {
			if s := &t.sightings[i]; s.request != nil {
				x.notOlder(t, s, t.sightings[:i])
			}
		}
	}
}

func (x *index) notOlder(t *task, s *sighting, before []sighting) {
	for i := range before {
		b := &before[i]
		sameConnection := b.client == s.client && !s.request.batch && b.at < s.at
		if b.rank > s.rank && (sameConnection || b.at < s.request.at) {
			x.fail("8", t, "request %s of client %d shows it %s, which client %d knew to be past at entry %d",
				s.request.id, s.client, s.task.State, b.client, b.at)
			return
		}
	}
}

// waitsHold: guarantee 8, and the promises of the method wait.
func (x *index) waitsHold() {
	shown := map[endKey]*request{} // the first wait of a client that shows the end of a task
	for _, rq := range x.requests {
		r, ok := answerOf[*schema.WaitResult](rq)
		if !ok {
			continue
		}
		if why := wrongWait(rq.params.(*schema.WaitParams), r); why != "" {
			x.failRequest("answers", rq, "%s", why)
		}
		for i := range r.Tasks {
			key := endKey{rq.client, r.Tasks[i].ID}
			if r.Tasks[i].State.Final() && !held(rq, x.tasks[key.id]) &&
				(shown[key] == nil || rq.answer.at < shown[key].answer.at) {
				shown[key] = rq
			}
		}
	}
	for _, ev := range x.events {
		rq := shown[endKey{ev.client, ev.ID}]
		if rq != nil && ev.method == schema.NotifyFinished && len(ev.replays) == 0 && rq.answer.at < ev.at {
			x.fail("8", x.tasks[ev.ID], "client %d was sent its task/finished (entry %d) after wait %s has shown its end (entry %d)",
				ev.client, ev.at, rq.id, rq.answer.at)
		}
	}
}

type endKey struct {
	client int
	id     uuid.UUID
}

// held reports whether a batch holds back the events of the task when a wait
// is answered: one that is not answered by then, or the batch of the wait itself.
func held(rq *request, t *task) bool {
	return t.heldFor(rq.client, rq.answer.at-1)
}

// wrongWait says what is wrong with the answer of a wait, or "".
func wrongWait(p *schema.WaitParams, r *schema.WaitResult) string {
	var asked, answered []uuid.UUID
	for _, id := range p.IDs {
		if !slices.Contains(asked, id) {
			asked = append(asked, id)
		}
	}
	final := 0
	for i := range r.Tasks {
		answered = append(answered, r.Tasks[i].ID)
		if r.Tasks[i].State.Final() {
			final++
		}
	}
	over := final == len(asked) || p.Until == schema.UntilAny && final > 0
	switch {
	case !slices.Equal(asked, answered):
		return "it answers with other tasks than those asked for"
	case r.TimedOut && p.TimeoutMs == nil:
		return "it has timed out, and has no time-out"
	case r.TimedOut == over:
		return "timedOut is not what its tasks show"
	}
	return ""
}

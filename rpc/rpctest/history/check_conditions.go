package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// timesHold: no task starts before its time.
func (x *index) timesHold() {
	for _, t := range x.order {
		p := t.submitOf()
		if p == nil || t.final == nil || t.final.StartedAt == 0 {
			continue
		}
		due := t.final.CreatedAt + schema.Time((time.Duration(p.DelayMs) * time.Millisecond).Microseconds())
		if t.final.StartedAt < due {
			x.fail("conditions", t, "it started at %s and was to wait until %s", t.final.StartedAt, due)
		}
	}
}

// dependenciesHold: a task starts when those that it comes after have ended as it asks for, and
// fails by a dependency only where one of them has ended otherwise.
func (x *index) dependenciesHold() {
	for _, t := range x.order {
		p := t.submitOf()
		if p == nil || t.final == nil {
			continue
		}
		failed := t.final.Error != nil && t.final.Error.Kind == schema.KindDependency
		broken := uuid.Nil
		for _, d := range p.After {
			on := x.tasks[d.ID]
			if on == nil || on.final == nil {
				continue // another check reports the reason
			}
			if !d.On.Met(on.final.State) {
				broken = d.ID
			}
			if t.started != 0 && on.finished > t.started {
				x.fail("conditions", t, "it started at seq %d, before the end of %s, at seq %d", t.started, d.ID, on.finished)
			}
			if failed && t.final.Error.Cause == d.ID && d.On.Met(on.final.State) {
				x.fail("conditions", t, "it failed by %s, which ended as it was to: %s", d.ID, on.final.State)
			}
		}
		switch {
		case broken != uuid.Nil && (t.started != 0 || t.final.StartedAt != 0):
			x.fail("conditions", t, "it started, and %s did not end as it was to", broken)
		case failed && broken == uuid.Nil:
			x.fail("conditions", t, "it failed by a dependency, and all have ended as they were to")
		}
	}
}

// lanesHold: of each key one task runs at a time, and of each group as many as its limit allows.
func (x *index) lanesHold() {
	byKey, byGroup := map[string][]*task{}, map[string][]*task{}
	for _, t := range x.order {
		if p := t.submitOf(); p != nil && p.Key != "" {
			byKey[p.Key] = append(byKey[p.Key], t)
		} else if p != nil && p.Group != "" {
			byGroup[p.Group] = append(byGroup[p.Group], t)
		}
	}
	for key, tasks := range byKey {
		if at, running := tooMany(tasks, 1); at != nil {
			x.fail("conditions", at, "it runs beside another task of the key %s: %v", key, idsIn(running))
		}
		x.keyInOrder(tasks)
	}
	for group, tasks := range byGroup {
		if at, running := tooMany(tasks, Groups()[group]); at != nil {
			x.fail("conditions", at, "%d tasks of the group %s run: %v", len(running), group, idsIn(running))
		}
	}
}

// keyInOrder: tasks of one key start in the order of their submits.
func (x *index) keyInOrder(tasks []*task) {
	started := slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return t.started == 0 })
	slices.SortFunc(started, func(a, b *task) int { return cmp.Compare(a.started, b.started) })
	for i := 1; i < len(started); i++ {
		if t, u := started[i-1], started[i]; u.before(t) {
			x.fail("conditions", t, "it started before task %s of its key, which was submitted before it", u.id)
		}
	}
}

// treesHold: a cancel reaches all that is below a task. Only where time is virtual is it known what
// the cancel came before.
func (x *index) treesHold() {
	if !x.history.Virtual {
		return
	}
	for _, t := range x.order {
		if t.final == nil {
			continue
		}
		for _, a := range x.above(t) {
			if a.final == nil || a.final.CancelRequestedAt == 0 || t.final.FinishedAt <= a.final.CancelRequestedAt {
				continue
			}
			if t.final.CancelRequestedAt == 0 || t.final.StartedAt > a.final.CancelRequestedAt {
				x.fail("conditions", t, "it is a part of %s, which was cancelled at %s, and no cancel has reached it", a.id, a.final.CancelRequestedAt)
			}
		}
	}
}

// noParent: a submit is refused only where it names a parent of which nothing can become a part: one
// that has ended or is being cancelled.
func (x *index) noParent(rq *request) {
	p, ok := rq.params.(*schema.SubmitParams)
	if !ok || p.Parent == uuid.Nil {
		x.failRequest("answers", rq, "an error without a cause: %s", rq.answer.err.Message)
		return
	}
	if parent := x.tasks[p.Parent]; parent != nil {
		for _, s := range parent.sightings {
			if s.rank < rankFinal && s.request != nil && s.request.at > rq.answer.at && !x.mayBeCancelled(parent) {
				x.failRequest("conditions", rq, "it is refused, and request %s shows later that its parent had not ended", s.request.id)
				return
			}
		}
	}
}

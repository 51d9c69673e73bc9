package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// change is a start (+1) or an end (-1), at a seq or a time.
type change struct {
	at   int64
	by   int
	task *task
}

// limitHolds: guarantee 5, by seq: no more tasks run than the limit allows.
func (x *index) limitHolds() {
	if t, running := tooMany(x.order, x.history.Limit); t != nil {
		x.fail("5", t, "%d tasks run when it starts, the limit is %d: %v", len(running), x.history.Limit, idsIn(running))
	}
}

// tooMany is the first task with whose start more of some tasks run than a limit allows, by seq, and those
// that run then; or nil. Tasks whose events nobody was sent are left out.
func tooMany(tasks []*task, limit int) (*task, map[*task]bool) {
	var changes []change
	for _, t := range tasks {
		if t.started != 0 && t.finished != 0 {
			changes = append(changes, change{int64(t.started), 1, t}, change{int64(t.finished), -1, t})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	running := map[*task]bool{}
	for _, c := range changes {
		if c.by < 0 {
			delete(running, c.task)
			continue
		}
		running[c.task] = true
		if len(running) > limit {
			return c.task, running // later findings would have the same cause
		}
	}
	return nil, nil
}

func idsIn(tasks map[*task]bool) []uuid.UUID {
	var ids []uuid.UUID
	for t := range tasks {
		ids = append(ids, t.id)
	}
	return ids
}

// limitIsShown: guarantee 5, as list and stats show it.
func (x *index) limitIsShown() {
	for _, rq := range x.requests {
		if rq.answer == nil {
			continue
		}
		running := 0
		switch r := rq.answer.result.(type) {
		case *schema.ListResult:
			for i := range r.Tasks {
				if r.Tasks[i].State == schema.Running {
					running++
				}
			}
		case *schema.StatsResult:
			running = int(r.Tasks.Running)
		}
		if running > x.history.Limit {
			x.failRequest("5", rq, "it shows %d running tasks, the limit is %d", running, x.history.Limit)
		}
	}
}

// startsInOrder: guarantee 5, as far as a client can prove the order. A worker takes a
// task and publishes its start a moment later, so as many starts as there are other
// workers may come late.
func (x *index) startsInOrder() {
	var started []*task
	waiting := map[queueKey]*queue{}
	for _, t := range x.order {
		if t.fresh == nil || t.started == 0 {
			continue
		}
		started = append(started, t)
		if t.waits() {
			continue // for more than a slot
		}
		key := queueKey{t.fresh.client, t.priority()}
		if waiting[key] == nil {
			waiting[key] = new(queue)
		}
		waiting[key].tasks = append(waiting[key].tasks, t)
	}
	for _, q := range waiting {
		slices.SortFunc(q.tasks, func(a, b *task) int { return a.fresh.position - b.fresh.position })
	}
	slices.SortFunc(started, func(a, b *task) int { return cmp.Compare(a.started, b.started) })
	for _, t := range started {
		overdue := map[*task]bool{}
		for key, q := range waiting {
			if key.priority >= t.priority() {
				q.overdue(t, x.history.Limit, overdue)
			}
		}
		if len(overdue) >= x.history.Limit {
			x.fail("5", t, "it started before tasks that were submitted before it, with no lower priority: %v", idsIn(overdue))
		}
	}
	if x.history.Limit == 1 && !x.history.Durable {
		x.bestFirst(started)
	}
}

func (t *task) priority() int {
	if p := t.fresh.params.(*schema.SubmitParams).Priority; p != nil {
		return *p
	}
	return 0
}

type queueKey struct{ client, priority int }

// queue is the tasks of one client and priority, in the order of admission.
type queue struct {
	tasks []*task
	gone  int // how many at the front have started
}

// overdue adds tasks that were admitted before t and start after it, up to the number
// that is needed.
func (q *queue) overdue(t *task, most int, to map[*task]bool) {
	for q.gone < len(q.tasks) && q.tasks[q.gone].started <= t.started {
		q.gone++
	}
	for _, u := range q.tasks[q.gone:] {
		if len(to) >= most || !u.before(t) {
			return
		}
		if u.started > t.started {
			to[u] = true
		}
	}
}

// bestFirst: a single worker takes a task after the end of the one before. A task with
// a higher priority that was in the queue before that end has started already.
func (x *index) bestFirst(started []*task) {
	queued := x.queuedBy()
	byPriority := map[int][]*task{}
	for _, t := range started {
		if !t.waits() {
			byPriority[t.priority()] = append(byPriority[t.priority()], t)
		}
	}
	for _, all := range byPriority {
		slices.SortFunc(all, func(a, b *task) int { return cmp.Compare(queued[a], queued[b]) })
	}
	free := uint64(0) // the seq of the latest end before the start that is checked
	for _, t := range started {
		for priority, all := range byPriority {
			for len(all) > 0 && all[0].started < t.started {
				all = all[1:]
			}
			byPriority[priority] = all
			if priority > t.priority() && len(all) > 0 && queued[all[0]] <= free {
				x.fail("5", t, "it started at seq %d with priority %d; task %s with priority %d was in the queue by seq %d, and the slot was free at %d",
					t.started, t.priority(), all[0].id, priority, queued[all[0]], free)
			}
		}
		if t.finished != 0 {
			free = max(free, t.finished)
		}
	}
}

// startsAtOnce: guarantee 5 in virtual time: no task is queued while a slot is free.
func (x *index) startsAtOnce() {
	if !x.history.Virtual {
		return
	}
	var queued, running []change
	for _, t := range x.order {
		if t.final == nil || t.fresh == nil {
			return // another check reports the reason
		}
		leaves := t.final.FinishedAt // the queue
		if t.final.StartedAt != 0 {
			leaves = t.final.StartedAt
			running = append(running, change{int64(leaves), 1, t}, change{int64(max(t.final.FinishedAt, t.codeEnds())), -1, t})
		}
		if !t.waits() {
			queued = append(queued, change{int64(t.final.CreatedAt), 1, t}, change{int64(leaves), -1, t})
		}
	}
	x.noneWaits(queued, running)
}

// codeEnds is when the code of a task that ignores its cancel ends, and its slot is
// free again.
func (t *task) codeEnds() schema.Time {
	p := t.fresh.params.(*schema.SubmitParams)
	var in Input
	if p.Type != deafType || json.Unmarshal(p.Input, &in) != nil {
		return 0
	}
	return t.final.StartedAt + schema.Time((time.Duration(in.Ms) * time.Millisecond).Microseconds())
}

// noneWaits checks each point in time, after all events of that point.
func (x *index) noneWaits(queued, running []change) {
	byTime := func(a, b change) int { return cmp.Compare(a.at, b.at) }
	slices.SortFunc(queued, byTime)
	slices.SortFunc(running, byTime)
	waits, taken := map[*task]int{}, 0
	for i, q := 0, 0; i < len(queued); {
		now := queued[i].at
		if q < len(running) {
			now = min(now, running[q].at)
		}
		for ; i < len(queued) && queued[i].at == now; i++ {
			if waits[queued[i].task] += queued[i].by; waits[queued[i].task] == 0 {
				delete(waits, queued[i].task)
			}
		}
		for ; q < len(running) && running[q].at == now; q++ {
			taken += running[q].by
		}
		for t := range waits {
			if taken < x.history.Limit {
				x.fail("5", t, "it is queued at %s, while %d of %d slots are free", schema.Time(now), x.history.Limit-taken, x.history.Limit)
				return
			}
		}
	}
}

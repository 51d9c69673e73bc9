package top

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// What is held of the executor. A screen shows less, and a filter finds no more.
const (
	mostRunning = 1000 // tasks that run
	mostQueued  = 200  // of the queue: the ones that were submitted first
	mostEnded   = 200  // that have ended latest
	mostSamples = 120  // seconds of throughput and latency
	mostWork    = 1024 // bytes of what a task does
)

// item is a task with what it does in words. It never changes: a change makes a new one.
type item struct {
	schema.Task
	work      string
	workKnown bool
	hasParts  bool   // it had parts when it was asked what it does
	depth     int    // 1 and more is a part of a task above it in the list
	note      string // is shown in place of a task, which has the nil UUID then
}

// sample is what happened in a second.
type sample struct {
	perSecond float64       // tasks that ended
	latency   time.Duration // the median of the times from submit to end; 0 where none ended
}

// snapshot is what the screen shows.
type snapshot struct {
	at        time.Time
	stats     schema.StatsResult
	running   []*item // in no order
	queued    []*item // in the order of the queue
	queueMore bool    // there are more than those
	ended     []*item // the latest first
	samples   []sample
	around    around
	parts     map[uuid.UUID]parts // of the tasks that show theirs
	parents   map[uuid.UUID]bool  // tasks that are known to have parts
}

// world is what is known of the executor. It can be used by several goroutines.
type world struct {
	mu        sync.Mutex
	stats     schema.StatsResult
	statsAt   time.Time
	running   map[uuid.UUID]*item
	queued    []*item
	queueMore bool
	ended     []*item
	samples   []sample
	latencies []time.Duration // of the tasks that have ended since the last sample
	around    around
	parts     map[uuid.UUID]parts // replaced as a whole

	runningStale bool   // tasks run that are not known
	queueStale   bool   // the queue is not as it was
	filter       string // what the queue was filtered by
}

func newWorld() *world {
	return &world{running: map[uuid.UUID]*item{}, runningStale: true, queueStale: true}
}

// maxLatencies bounds the times that one sample is made of.
const maxLatencies = 4096

// event takes note of an event.
func (w *world) event(ev client.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case ev.Started != nil:
		w.startedLocked(ev.Started)
	case ev.Progress != nil:
		if old := w.running[ev.Progress.ID]; old != nil {
			changed := *old
			changed.Progress = &ev.Progress.Progress
			w.running[old.ID] = &changed
		}
	case ev.Retrying != nil:
		delete(w.running, ev.Retrying.ID)
		w.queueStale = true
	case ev.Updated != nil:
		w.queueStale = true
	case ev.Finished != nil:
		w.finishedLocked(&ev.Finished.Task)
	case ev.Lost != nil || ev.Replayed != nil:
		w.runningStale, w.queueStale = true, true
	case ev.ShuttingDown != nil:
		w.stats.ShuttingDown = true
	}
}

func (w *world) startedLocked(ev *schema.StartedEvent) {
	w.queueStale = true
	i := slices.IndexFunc(w.queued, func(it *item) bool { return it.ID == ev.ID })
	switch {
	case i >= 0:
		changed := *w.queued[i]
		changed.State, changed.StartedAt, changed.Attempt = schema.Running, ev.StartedAt, ev.Attempt
		w.queued = without(w.queued, ev.ID)
		w.running[ev.ID] = &changed
	case w.running[ev.ID] == nil:
		w.runningStale = true
	}
}

func (w *world) finishedLocked(t *schema.Task) {
	changed := &item{Task: *t}
	changed.Result = nil // it may be large, and no list shows it
	if old := w.running[t.ID]; old != nil {
		changed.work, changed.workKnown, changed.hasParts = old.work, old.workKnown, old.hasParts
		delete(w.running, t.ID)
	} else if i := slices.IndexFunc(w.queued, func(it *item) bool { return it.ID == t.ID }); i >= 0 {
		changed.work, changed.workKnown, changed.hasParts = w.queued[i].work, w.queued[i].workKnown, w.queued[i].hasParts
		w.queued, w.queueStale = without(w.queued, t.ID), true
	}
	w.ended = slices.Insert(without(w.ended, t.ID), 0, changed)
	w.ended = w.ended[:min(len(w.ended), mostEnded)]
	if len(w.latencies) < maxLatencies {
		w.latencies = append(w.latencies, t.FinishedAt.Time().Sub(t.CreatedAt.Time()))
	}
}

// without is the list without a task, in an array of its own: a snapshot may have the
// old one.
func without(list []*item, id uuid.UUID) []*item {
	return slices.DeleteFunc(slices.Clone(list), func(it *item) bool { return it.ID == id })
}

// counted takes note of the server's numbers, and makes a sample of what happened since
// the numbers before.
func (w *world) counted(s schema.StatsResult, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := func(s *schema.StatsResult) int64 { return s.Totals.Completed + s.Totals.Failed + s.Totals.Cancelled }
	if !w.statsAt.IsZero() {
		next := sample{}
		if span := now.Sub(w.statsAt).Seconds(); span > 0 {
			n := ended(&s) - ended(&w.stats)
			if limit, told := s.Limits["running"]; told && limit == 0 { // its totals are of what runs there, and it runs nothing
				n = max(n, int64(len(w.latencies)))
			}
			next.perSecond = max(0, float64(n)/span)
		}
		if n := len(w.latencies); n > 0 {
			slices.Sort(w.latencies)
			next.latency = max(w.latencies[n/2], time.Microsecond)
		}
		w.samples = append(w.samples[max(0, len(w.samples)-mostSamples+1):len(w.samples):len(w.samples)], next)
	}
	waits := slices.ContainsFunc(w.queued, func(it *item) bool { return len(it.WaitingFor) > 0 }) // for what may change without an event
	if waits || s.Totals.Submitted != w.stats.Totals.Submitted || s.Tasks.Queued != w.stats.Tasks.Queued {
		w.queueStale = true
	}
	if s.Tasks.Running != int64(len(w.running)) && (len(w.running) < mostRunning || s.Tasks.Running < mostRunning) {
		w.runningStale = true
	}
	w.stats, w.statsAt, w.latencies = s, now, w.latencies[:0]
}

// filteredBy says what the queue is to be filtered by, and reports whether that is new.
func (w *world) filteredBy(filter string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if filter == w.filter {
		return false
	}
	w.filter, w.queueStale = filter, true
	return true
}

// takeStale answers which lists are out of date, and takes them for up to date.
func (w *world) takeStale() (running, queue bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	running, queue = w.runningStale, w.queueStale
	w.runningStale, w.queueStale = false, false
	return running, queue
}

// listedRunning takes a list for what runs.
func (w *world) listedRunning(tasks []schema.Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := make(map[uuid.UUID]*item, len(tasks))
	for _, it := range w.itemsLocked(tasks) {
		if !slices.ContainsFunc(w.ended, func(e *item) bool { return e.ID == it.ID }) { // its end overtook the list
			now[it.ID] = it
		}
	}
	w.running = now
}

// listedQueue takes a list for the first of the queue.
func (w *world) listedQueue(tasks []schema.Task, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queued = slices.DeleteFunc(w.itemsLocked(tasks), func(it *item) bool { return w.running[it.ID] != nil })
	w.queueMore = more
	slices.SortStableFunc(w.queued, func(a, b *item) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.CreatedAt, b.CreatedAt))
	})
}

// listedEnded takes a list for the tasks that have ended latest.
func (w *world) listedEnded(tasks []schema.Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := map[uuid.UUID]bool{}
	for _, it := range w.ended {
		known[it.ID] = true
	}
	all := slices.Clone(w.ended)
	for _, it := range w.itemsLocked(tasks) {
		if it.Result = nil; !known[it.ID] {
			all = append(all, it)
		}
	}
	slices.SortStableFunc(all, func(a, b *item) int { return cmp.Compare(b.FinishedAt, a.FinishedAt) })
	w.ended = all[:min(len(all), mostEnded)]
}

// itemsLocked makes items of tasks, with what is known of them.
func (w *world) itemsLocked(tasks []schema.Task) []*item {
	known := map[uuid.UUID]*item{}
	for _, list := range [][]*item{w.queued, w.ended} {
		for _, it := range list {
			known[it.ID] = it
		}
	}
	w.partsLocked(func(it *item) bool {
		known[it.ID] = it
		return true
	})
	items := make([]*item, len(tasks))
	for i, t := range tasks {
		items[i] = &item{Task: t}
		for _, old := range []*item{known[t.ID], w.running[t.ID]} {
			if old != nil && old.workKnown {
				items[i].work, items[i].workKnown, items[i].hasParts = old.work, true, old.hasParts
			}
		}
	}
	return items
}

// unknownWork are those of the tasks of which it is not known what they do.
func (w *world) unknownWork(ids []uuid.UUID) []uuid.UUID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var unknown []uuid.UUID
	for _, id := range ids {
		if it := w.findLocked(id); it != nil && !it.workKnown {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

func (w *world) findLocked(id uuid.UUID) *item {
	if it := w.running[id]; it != nil {
		return it
	}
	for _, list := range [][]*item{w.queued, w.ended} {
		for _, it := range list {
			if it.ID == id {
				return it
			}
		}
	}
	var found *item
	w.partsLocked(func(it *item) bool {
		if it.ID == id {
			found = it
		}
		return found == nil
	})
	return found
}

// learned takes note of what a task does, and whether it has parts.
func (w *world) learned(id uuid.UUID, work string, hasParts bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.findLocked(id)
	if old == nil {
		return
	}
	changed := *old
	changed.work, changed.workKnown, changed.hasParts = work[:min(len(work), mostWork)], true, hasParts
	replace := func(list []*item) []*item {
		list = slices.Clone(list)
		for i := range list {
			if list[i].ID == id {
				list[i] = &changed
			}
		}
		return list
	}
	if w.running[id] != nil {
		w.running[id] = &changed
	}
	w.queued, w.ended = replace(w.queued), replace(w.ended)
	now := make(map[uuid.UUID]parts, len(w.parts))
	for parent, p := range w.parts {
		now[parent] = parts{replace(p.items), p.more}
	}
	w.parts = now
}

// snapshot is what the screen shows at a time.
func (w *world) snapshot(now time.Time) snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := snapshot{at: now, stats: w.stats, queued: w.queued, queueMore: w.queueMore, ended: w.ended, samples: w.samples, around: w.around, parts: w.parts, parents: w.parentsLocked()}
	s.running = make([]*item, 0, len(w.running))
	for _, it := range w.running {
		s.running = append(s.running, it)
	}
	return s
}

package kit

import (
	"slices"

	"github.com/jobline/jobline/executor"
)

// Bounds of what a reader that is slow is kept of events that only its
// subscriptions want: so many, and so many bytes. What it has submitted or waits
// for is kept however much it is, in brief where it is much.
const (
	lagEvents = 4096
	lagBytes  = 8 << 20
)

// backlog is what waits for a reader of the events that only subscriptions want.
type backlog struct {
	events int // but for progress and output, of which the newest replaces the others
	bytes  int64
	lags   bool // they are dropped, until the reader comes back
}

// over begins anew for a reader that has come back, and tells it how far the
// events go, at the number latest, that were dropped.
func (b *backlog) over(taken []executor.Event, latest uint64) {
	if b.lags {
		i := slices.IndexFunc(taken, func(ev executor.Event) bool { return ev.Kind == executor.EventLag })
		taken[i].End = int64(latest)
	}
	*b = backlog{}
}

// takes reports whether there is room for an event that only subscriptions
// want. Where there is none, those that wait are dropped, too, and an EventLag
// has the place of the first. It needs the feed's lock.
func (w *feedWatcher) takes(ev *executor.Event) bool {
	b := &w.droppable
	if b.lags {
		return false
	}
	if ev.Kind == executor.EventProgress || ev.Kind == executor.EventOutput {
		return true
	}
	b.events++
	b.bytes += sizeOf(ev)
	if b.events <= lagEvents && b.bytes <= lagBytes {
		return true
	}
	w.pending = append(w.pending, *ev) // so that there is a first one
	w.dropDroppable()
	w.signal()
	return false
}

// boundDroppable drops what only subscriptions want where progress and output
// alone, of many tasks, are more than is kept. It needs the feed's lock.
func (w *feedWatcher) boundDroppable() {
	events, bytes := 0, int64(0)
	for i := range w.pending {
		if ev := &w.pending[i]; ev.Delivery == executor.Droppable {
			events++
			bytes += sizeOf(ev)
		}
	}
	if events > lagEvents || bytes > lagBytes {
		w.dropDroppable()
	}
}

// dropDroppable puts an EventLag in the place of the first event that only
// subscriptions want, and drops them all. It needs the feed's lock.
func (w *feedWatcher) dropDroppable() {
	w.droppable.lags = true
	first := slices.IndexFunc(w.pending, func(ev executor.Event) bool { return ev.Delivery == executor.Droppable })
	w.pending[first] = executor.Event{Seq: w.pending[first].Seq - 1, Kind: executor.EventLag}
	w.pending = slices.DeleteFunc(w.pending, func(ev executor.Event) bool { return ev.Delivery == executor.Droppable })
	w.size[0] = sumOf(w.pending)
}

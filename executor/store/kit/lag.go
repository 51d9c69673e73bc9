package kit

import (
	"slices"

	"github.com/jobline/jobline/executor"
)

// Bounds of the Droppable events that wait for a slow reader: how many, and how
// many bytes. Events of tasks that it has submitted or follows have no such bound:
// they are shortened where they are many.
const (
	lagEvents = 4096
	lagBytes  = 8 << 20
)

// backlog counts the Droppable events that wait for a reader.
type backlog struct {
	events int // without progress and output, which newer ones replace
	bytes  int64
	lags   bool // Droppable events are dropped until the reader calls Next again
}

// over resets the backlog when the reader has taken its events. If events were dropped, it sets the end of
// their EventLag to latest.
func (b *backlog) over(taken []executor.Event, latest uint64) {
	if b.lags {
		i := slices.IndexFunc(taken, func(ev executor.Event) bool { return ev.Kind == executor.EventLag })
		taken[i].End = int64(latest)
	}
	*b = backlog{}
}

// takes reports whether there is room for a Droppable event. If there is none, it drops all Droppable events
// that wait. The caller holds the feed's mu.
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
	w.pending = append(w.pending, *ev) // dropDroppable needs at least one
	w.dropDroppable()
	w.signal()
	return false
}

// boundDroppable drops the Droppable events if there are too many of them, with
// progress and output counted. The caller holds the feed's mu.
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

// dropDroppable drops all Droppable events and puts an EventLag in the place of the
// first. The caller holds the feed's mu.
func (w *feedWatcher) dropDroppable() {
	w.droppable.lags = true
	first := slices.IndexFunc(w.pending, func(ev executor.Event) bool { return ev.Delivery == executor.Droppable })
	w.pending[first] = executor.Event{Seq: w.pending[first].Seq - 1, Kind: executor.EventLag}
	w.pending = slices.DeleteFunc(w.pending, func(ev executor.Event) bool { return ev.Delivery == executor.Droppable })
	w.size[0] = sumOf(w.pending)
}

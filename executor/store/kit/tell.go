package kit

import "github.com/jobline/jobline/executor"

// Tell is Publish for an event of this process alone. The event has the number of the latest event and none of
// its own, so that replicas keep the same numbers.
func (f *Feed) Tell(owner executor.WatcherID, mask executor.EventMask, ev executor.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ev.Seq = f.seq
	told := map[*feedWatcher]bool{}
	tell := func(w *feedWatcher, mask executor.EventMask) {
		if w == nil || told[w] {
			return
		}
		told[w] = true
		before := w.offered
		w.offered = ^uint64(0) // an event with this number may have been offered before
		w.offer(&ev, mask)
		w.offered = before
	}
	tell(f.watchers[owner], mask)
	for _, w := range f.subscribers {
		tell(w, 0)
	}
	for _, w := range f.followers[ev.ID] {
		tell(w, 0)
	}
}

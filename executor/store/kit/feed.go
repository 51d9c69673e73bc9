package kit

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Feed gives the events of a store to its watchers, and never waits for a watcher. It is safe for concurrent
// use. The zero value is ready.
//
// A store publishes while it holds the lock that orders its changes. So events have the order of the changes,
// and their numbers rise in that order.
type Feed struct {
	mu          sync.Mutex
	seq         uint64
	lastID      executor.WatcherID
	watchers    map[executor.WatcherID]*feedWatcher
	followers   map[uuid.UUID][]*feedWatcher
	lossless    map[uuid.UUID]int // by task: how many KeepOutput of any watcher are in force
	subscribers []*feedWatcher    // the watchers with a subscription
}

// Seq is the number of the latest event.
func (f *Feed) Seq() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq
}

// SetSeq sets the number of the latest event, for a store that continues the numbers of an earlier process.
func (f *Feed) SetSeq(n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq = n
}

// Publish numbers the event and gives it to the watchers that want it: the owner
// of the task, if the mask has the event's kind; those with a subscription that
// selects it; and those that follow the task. It answers the number.
func (f *Feed) Publish(owner executor.WatcherID, mask executor.EventMask, ev executor.Event) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number(&ev)
	f.offer(&ev, owner, mask)
	return ev.Seq
}

// PublishOf is Publish for an event whose Task is not made yet: it calls task only if a watcher may want the
// event.
func (f *Feed) PublishOf(owner executor.WatcherID, mask executor.EventMask, ev executor.Event, task func() *schema.Task) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number(&ev)
	if len(f.subscribers) > 0 || len(f.followers) > 0 || mask.Tells(ev.Kind) {
		ev.Task = task()
		f.offer(&ev, owner, mask)
	}
	return ev.Seq
}

// number gives the event the next number; the end of a task takes SeqsPerFinish of
// them. The caller holds mu.
func (f *Feed) number(ev *executor.Event) {
	f.seq++
	if ev.Kind == executor.EventFinished {
		f.seq += executor.SeqsPerFinish - 1
	}
	ev.Seq = f.seq
}

// offer gives the event to the watchers that want it. The caller holds mu.
func (f *Feed) offer(ev *executor.Event, owner executor.WatcherID, mask executor.EventMask) {
	if w := f.watchers[owner]; w != nil {
		w.offer(ev, mask)
	}
	for _, w := range f.subscribers {
		w.offer(ev, 0)
	}
	if len(f.followers) > 0 {
		for _, w := range f.followers[ev.ID] {
			w.offer(ev, 0)
		}
	}
}

// Close closes all watchers: a waiting Next returns ErrClosed.
func (f *Feed) Close() {
	f.mu.Lock()
	all := slices.Collect(maps.Values(f.watchers))
	f.mu.Unlock()
	for _, w := range all {
		w.Close()
	}
}

// Watch makes a watcher. The caller closes it.
func (f *Feed) Watch() executor.Watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastID++
	w := &feedWatcher{
		feed: f, id: f.lastID, wake: make(chan struct{}, 1),
		follows: map[uuid.UUID]follow{}, lossless: map[uuid.UUID]int{}, subscriptions: map[executor.SubscriptionID]*executor.Selector{},
	}
	if f.watchers == nil {
		f.watchers = map[executor.WatcherID]*feedWatcher{}
		f.followers = map[uuid.UUID][]*feedWatcher{}
		f.lossless = map[uuid.UUID]int{}
	}
	f.watchers[w.id] = w
	return w
}

// follow counts, for one task, how often each kind was asked for.
type follow [executor.EventFinished + 1]int32

func (c follow) has(k executor.EventKind) bool { return c[k] > 0 }

func (c *follow) add(mask executor.EventMask, n int32) {
	for k := range c {
		if mask.Has(executor.EventKind(k)) {
			c[k] += n
		}
	}
}

type feedWatcher struct {
	feed *Feed
	id   executor.WatcherID
	wake chan struct{} // has a buffer of one

	// The feed's lock protects what follows.
	pending   []executor.Event
	taken     []executor.Event // what the latest Next returned; its memory is reused
	compact   int              // pending is compacted when it reaches this length
	size      [2]int64         // estimated bytes of the events in pending, and in taken
	droppable backlog          // of the events in pending that only subscriptions want
	waiting   bool
	closed    bool
	offered   uint64 // the Seq of the latest event that it was offered
	follows   map[uuid.UUID]follow
	lossless  map[uuid.UUID]int // by task: how many KeepOutput are in force
	// lastSubscription is the latest id of a subscription.
	lastSubscription executor.SubscriptionID
	subscriptions    map[executor.SubscriptionID]*executor.Selector
}

func (w *feedWatcher) ID() executor.WatcherID { return w.id }

func (w *feedWatcher) Subscribe(_ context.Context, s executor.Selector) (executor.SubscriptionID, uint64, error) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.closed {
		return 0, 0, executor.ErrClosed
	}
	if len(w.subscriptions) == 0 {
		w.feed.subscribers = append(w.feed.subscribers, w)
	}
	w.lastSubscription++
	w.subscriptions[w.lastSubscription] = &s
	return w.lastSubscription, w.feed.seq, nil
}

func (w *feedWatcher) Unsubscribe(id executor.SubscriptionID) bool {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if _, known := w.subscriptions[id]; !known {
		return false
	}
	delete(w.subscriptions, id)
	if len(w.subscriptions) == 0 {
		w.feed.drop(w)
	}
	return true
}

// drop removes a watcher from those with subscriptions. The caller holds the feed's mu.
func (f *Feed) drop(w *feedWatcher) {
	f.subscribers = slices.DeleteFunc(f.subscribers, func(o *feedWatcher) bool { return o == w })
}

// offer queues the event if the watcher wants it: as the owner of the task, by a
// subscription, or because it follows the task. The mask is that of the task if
// the watcher owns it, and 0 otherwise. An event can be offered more than once, and
// is queued once. The caller holds the feed's mu.
func (w *feedWatcher) offer(ev *executor.Event, mask executor.EventMask) {
	if w.offered == ev.Seq {
		return
	}
	w.offered = ev.Seq
	wanted := mask.Has(ev.Kind)
	own := mask.Tells(ev.Kind)
	told := own
	if len(w.subscriptions) > 0 {
		for _, s := range w.subscriptions {
			a, b := s.Selects(ev)
			wanted, told = wanted || a, told || b
		}
	}
	followed := len(w.follows) > 0 && w.follows[ev.ID].has(ev.Kind)
	if !told && !followed {
		return
	}
	ev.Wanted, ev.Delivery = wanted, executor.Coalesced
	if !own && !followed {
		ev.Delivery = executor.Droppable
	} else if ev.Kind == executor.EventOutput && w.lossless[ev.ID] > 0 {
		ev.Delivery = executor.Lossless
	}
	w.put(ev)
}

func (w *feedWatcher) Follow(_ context.Context, id uuid.UUID, mask executor.EventMask) error {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.closed {
		return executor.ErrClosed
	}
	c, known := w.follows[id]
	c.add(mask, 1)
	w.follows[id] = c
	if !known {
		w.feed.followers[id] = append(w.feed.followers[id], w)
	}
	return nil
}

func (w *feedWatcher) Unfollow(id uuid.UUID, mask executor.EventMask) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	c, known := w.follows[id]
	if !known {
		return
	}
	c.add(mask, -1)
	w.follows[id] = c
	if c == (follow{}) {
		w.forget(id)
	}
}

func (w *feedWatcher) KeepOutput(id uuid.UUID, keep bool) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	for _, kept := range []map[uuid.UUID]int{w.lossless, w.feed.lossless} {
		if keep {
			kept[id]++
		} else if kept[id]--; kept[id] == 0 {
			delete(kept, id)
		}
	}
}

// Keeps marks an output event as Lossless if a watcher wants all output of the task. A store that delays events
// calls it before it queues them.
func (f *Feed) Keeps(ev *executor.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ev.Kind == executor.EventOutput && f.lossless[ev.ID] > 0 {
		ev.Delivery = executor.Lossless
	}
}

// forget stops following a task. The caller holds the feed's mu.
func (w *feedWatcher) forget(id uuid.UUID) {
	delete(w.follows, id)
	rest := slices.DeleteFunc(w.feed.followers[id], func(o *feedWatcher) bool { return o == w })
	if len(rest) == 0 {
		delete(w.feed.followers, id)
	} else {
		w.feed.followers[id] = rest
	}
}

func (w *feedWatcher) Close() {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	delete(w.feed.watchers, w.id)
	w.feed.drop(w)
	clear(w.subscriptions)
	for id := range w.follows {
		w.forget(id)
	}
	w.signal()
}

func (w *feedWatcher) Barrier(context.Context) error {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	if w.closed {
		return executor.ErrClosed
	}
	w.pending = append(w.pending, executor.Event{Seq: w.feed.seq, Kind: executor.EventBarrier})
	w.signal()
	return nil
}

// signal wakes a waiting Next. The caller holds the feed's mu.
func (w *feedWatcher) signal() {
	if w.waiting {
		w.waiting = false
		w.wake <- struct{}{}
	}
}

func (w *feedWatcher) Next(ctx context.Context) ([]executor.Event, error) {
	for {
		w.feed.mu.Lock()
		if w.closed {
			w.feed.mu.Unlock()
			return nil, executor.ErrClosed
		}
		if len(w.pending) > 0 {
			if cap(w.taken) > keptRoom && len(w.taken) < cap(w.taken)/4 { // the reader has caught up
				w.taken = nil
			}
			clear(w.taken)
			w.taken, w.pending = w.pending, w.taken[:0]
			w.size = [2]int64{0, w.size[0]}
			w.compact = 0
			w.droppable.over(w.taken, w.feed.seq)
			w.feed.mu.Unlock()
			return w.taken, nil
		}
		w.waiting = true
		w.feed.mu.Unlock()
		select {
		case <-w.wake:
		case <-ctx.Done():
			w.feed.mu.Lock()
			if !w.waiting { // the signal was sent meanwhile
				<-w.wake
			}
			w.waiting = false
			w.feed.mu.Unlock()
			return nil, context.Cause(ctx)
		}
	}
}

// put queues an event, within the bounds of held.go and lag.go. The caller holds the feed's mu.
func (w *feedWatcher) put(ev *executor.Event) {
	if ev.Delivery == executor.Droppable && !w.takes(ev) {
		return
	}
	if n := len(w.pending); n > 0 && ev.Kind == executor.EventOutput && join(&w.pending[n-1], ev) {
		return
	}
	if len(w.pending) >= max(w.compact, compactFirst) {
		w.pending = compacted(w.pending)
		w.size[0] = sumOf(w.pending)
		w.boundDroppable()
		w.compact = 2 * len(w.pending)
		if ev.Delivery == executor.Droppable && w.droppable.lags {
			return
		}
	}
	w.pending = append(w.pending, within(ev, heldBytes-w.size[0]))
	w.size[0] += sizeOf(&w.pending[len(w.pending)-1])
	w.signal()
}

func (w *feedWatcher) Size() int64 {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	return w.size[0] + w.size[1]
}

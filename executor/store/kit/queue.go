package kit

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/jobline/jobline/executor"
)

const levels = executor.MaxPriority - executor.MinPriority + 1

// Entry is a task's place in a Queue, and the task itself. It is a part of
// the store's record, so that queueing costs no allocation and leaving the
// middle of the queue is constant in its length. An entry is in at most one
// queue or list at a time.
type Entry[T any] struct {
	next, prev *Entry[T]
	list       *list[T]
	order      uint64
	Value      T
}

// Queued reports whether the entry is in a queue or list.
func (e *Entry[T]) Queued() bool { return e.list != nil }

// Order is the number the entry was given when it was first pushed: it rises
// with each, and decides among equal priorities.
func (e *Entry[T]) Order() uint64 { return e.order }

// Next is the neighbour pushed after, or nil.
func (e *Entry[T]) Next() *Entry[T] { return e.next }

// list is a doubly linked list: first in, first out.
type list[T any] struct {
	head, tail *Entry[T]
	lane       *lane[T]
	level      uint8
}

func (l *list[T]) push(e *Entry[T]) { l.insert(e, nil) }

// insert puts the entry before next, or last.
func (l *list[T]) insert(e, next *Entry[T]) {
	e.list, e.next = l, next
	if next == nil {
		e.prev, l.tail = l.tail, e
	} else {
		e.prev, next.prev = next.prev, e
	}
	if e.prev == nil {
		l.head = e
	} else {
		e.prev.next = e
	}
}

// near is where a walk forward to the place of an order number may begin: not
// far from it, as seen from the nearer end. Nil is of an empty list.
func (l *list[T]) near(order uint64) *Entry[T] {
	if l.head == nil || order < l.head.order+(l.tail.order-l.head.order)/2 {
		return l.head
	}
	e := l.tail
	for ; e.order > order && e.prev != nil; e = e.prev {
	}
	return e
}

func (l *list[T]) remove(e *Entry[T]) {
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.list, e.prev, e.next = nil, nil, nil
}

// FIFO is a list of entries in the order in which they were pushed.
type FIFO[T any] struct {
	list list[T]
	size int
}

// Len is the number of entries.
func (f *FIFO[T]) Len() int { return f.size }

// Push puts the entry last.
func (f *FIFO[T]) Push(e *Entry[T]) { f.list.push(e); f.size++ }

// First is the entry pushed first, or nil.
func (f *FIFO[T]) First() *Entry[T] { return f.list.head }

// Remove takes an entry out.
func (f *FIFO[T]) Remove(e *Entry[T]) { f.list.remove(e); f.size-- }

// lane is the queue of the types that share one fate: of one type with a limit
// of its own, or of all that have none.
type lane[T any] struct {
	levels [levels]list[T]
	filled [(levels + 63) / 64]uint64 // bit n is set when levels[n] is not empty
}

// first is the entry of the highest priority that was pushed first, or nil.
func (l *lane[T]) first() *Entry[T] {
	for word := len(l.filled) - 1; word >= 0; word-- {
		if set := l.filled[word]; set != 0 {
			return l.levels[word*64+63-bits.LeadingZeros64(set)].head
		}
	}
	return nil
}

// Queue orders what waits to run: the highest priority first, then the first
// pushed. Its operations are constant in its length. Types with a limit of
// their own stand in a lane each, so that one at its limit holds up no other.
// The zero value is ready. It is not safe for concurrent use: it is a part of
// a store, under the store's lock.
type Queue[T any] struct {
	shared lane[T]
	own    map[string]*lane[T] // by type
	size   int
	last   uint64
}

// Len is the number of entries.
func (q *Queue[T]) Len() int { return q.size }

// Push adds an entry, with the next order number.
func (q *Queue[T]) Push(e *Entry[T], typ string, priority int8) {
	q.last++
	q.PushAs(e, q.last, typ, priority)
}

// PushAs adds an entry with an order number that is above all before.
func (q *Queue[T]) PushAs(e *Entry[T], order uint64, typ string, priority int8) {
	e.order, q.last = order, order
	q.insert(e, nil, typ, priority)
}

// Return puts entries that were taken out back in their places, which placeOf
// knows. However many they are, it walks once through what is queued of their
// priorities. It changes the order of the slice.
func (q *Queue[T]) Return(entries []*Entry[T], placeOf func(T) (typ string, priority int8)) {
	slices.SortFunc(entries, func(a, b *Entry[T]) int { return cmp.Compare(a.order, b.order) })
	reached := map[*list[T]]*Entry[T]{} // what is behind the latest to come to a list
	for _, e := range entries {
		typ, priority := placeOf(e.Value)
		level := &q.laneOf(typ).levels[int(priority)-executor.MinPriority]
		next, met := reached[level]
		if !met {
			next = level.near(e.order)
		}
		for next != nil && next.order < e.order {
			next = next.next
		}
		q.insert(e, next, typ, priority)
		reached[level] = next
	}
}

func (q *Queue[T]) insert(e, next *Entry[T], typ string, priority int8) {
	l := q.laneOf(typ)
	n := int(priority) - executor.MinPriority
	level := &l.levels[n]
	level.lane, level.level = l, uint8(n)
	level.insert(e, next)
	l.filled[n/64] |= 1 << (n % 64)
	q.size++
}

// Remove takes an entry out, wherever it stands.
func (q *Queue[T]) Remove(e *Entry[T]) {
	level := e.list
	level.remove(e)
	if level.head == nil {
		level.lane.filled[level.level/64] &^= 1 << (level.level % 64)
	}
	q.size--
}

// Next is the best entry of those whose type is not held back, or nil. It
// stays in the queue.
func (q *Queue[T]) Next(held func(typ string) bool) *Entry[T] {
	best := q.shared.first()
	for typ, l := range q.own {
		if e := l.first(); e != nil && !held(typ) && (best == nil || before(e, best)) {
			best = e
		}
	}
	return best
}

func before[T any](a, b *Entry[T]) bool {
	if a.list.level != b.list.level {
		return a.list.level > b.list.level
	}
	return a.order < b.order
}

func (q *Queue[T]) laneOf(typ string) *lane[T] {
	if l, ok := q.own[typ]; ok {
		return l
	}
	return &q.shared
}

// Separate gives a type a lane of its own and moves there what of it is
// queued already.
func (q *Queue[T]) Separate(typ string, isOf func(T) bool) {
	if _, ok := q.own[typ]; ok {
		return
	}
	if q.own == nil {
		q.own = map[string]*lane[T]{}
	}
	q.own[typ] = &lane[T]{}
	for n := range q.shared.levels {
		for e := q.shared.levels[n].head; e != nil; {
			next := e.next
			if isOf(e.Value) {
				q.Remove(e)
				q.insert(e, nil, typ, int8(n+executor.MinPriority))
			}
			e = next
		}
	}
}

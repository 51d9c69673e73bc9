package kit

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/jobline/jobline/executor"
)

const levels = executor.MaxPriority - executor.MinPriority + 1

// Entry is a task's place in a Queue, and the task itself. It is embedded in the store's record, so that
// queueing allocates nothing, and leaving the middle of the queue takes constant time. An entry is in at most
// one queue or list at a time.
type Entry[T any] struct {
	next, prev *Entry[T]
	list       *list[T]
	order      uint64
	Value      T
}

// Queued reports whether the entry is in a queue or list.
func (e *Entry[T]) Queued() bool { return e.list != nil }

// Order is the number that the entry got when it was first pushed. It rises with each, and decides among equal
// priorities.
func (e *Entry[T]) Order() uint64 { return e.order }

// Next is the entry after this one in its list, or nil.
func (e *Entry[T]) Next() *Entry[T] { return e.next }

// list is a doubly linked list: first in, first out.
type list[T any] struct {
	head, tail *Entry[T]
	lane       *lane[T]
	level      uint8
}

func (l *list[T]) push(e *Entry[T]) { l.insert(e, nil) }

// insert puts the entry before next, or at the end if next is nil.
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

// near is an entry from which a walk forward to the place of an order number may begin. It comes from the
// nearer end. It is nil if the list is empty.
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

// lane is the queue of one type.
type lane[T any] struct {
	typ    string
	size   int
	levels [levels]list[T]
	filled [(levels + 63) / 64]uint64 // bit n is set when levels[n] is not empty
}

// first is the oldest entry of the highest priority, or nil.
func (l *lane[T]) first() *Entry[T] {
	for word := len(l.filled) - 1; word >= 0; word-- {
		if set := l.filled[word]; set != 0 {
			return l.levels[word*64+63-bits.LeadingZeros64(set)].head
		}
	}
	return nil
}

// appendFirst appends the first n entries of the lane, the best first.
func (l *lane[T]) appendFirst(to []*Entry[T], n int) []*Entry[T] {
	for level := len(l.levels) - 1; level >= 0 && n > 0; level-- {
		for e := l.levels[level].head; e != nil && n > 0; e = e.next {
			to = append(to, e)
			n--
		}
	}
	return to
}

// Queue orders entries by priority, the highest first, and then by order number. Each type has a lane of its
// own, so that a type that is held back holds up no other. Operations take constant time; Next is linear in the
// number of queued types. The zero value is ready. It is not safe for concurrent use: the store's lock protects
// it.
type Queue[T any] struct {
	lanes  map[string]*lane[T] // by type; none is empty but latest
	latest *lane[T]            // looked up last: the next is often the same
	spare  []*lane[T]          // to be reused; at most spareLanes
	busy   []*lane[T]          // those that are not empty
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

// Last is the latest order number.
func (q *Queue[T]) Last() uint64 { return q.last }

// Number gives the next order number to an entry that does not enter the queue.
func (q *Queue[T]) Number(e *Entry[T]) {
	q.last++
	e.order = q.last
}

// NumberAs gives an order number, which must be above all before, to an entry that does not enter the queue.
func (q *Queue[T]) NumberAs(e *Entry[T], order uint64) { e.order, q.last = order, order }

// SetLast sets the latest order number. It must not be below one that was given.
func (q *Queue[T]) SetLast(n uint64) { q.last = n }

// PushAs adds an entry with an order number, which must be above all before.
func (q *Queue[T]) PushAs(e *Entry[T], order uint64, typ string, priority int8) {
	e.order, q.last = order, order
	q.insert(e, nil, q.laneOf(typ), priority)
}

// Return puts entries back in their places, with the types and priorities that placeOf answers. However many
// they are, it walks once through the entries of those types and priorities. It sorts the slice.
func (q *Queue[T]) Return(entries []*Entry[T], placeOf func(T) (typ string, priority int8)) {
	slices.SortFunc(entries, func(a, b *Entry[T]) int { return cmp.Compare(a.order, b.order) })
	reached := map[*list[T]]*Entry[T]{} // by list: the entry after the one that was returned last
	for _, e := range entries {
		typ, priority := placeOf(e.Value)
		l := q.laneOf(typ)
		level := &l.levels[int(priority)-executor.MinPriority]
		next, met := reached[level]
		if !met {
			next = level.near(e.order)
		}
		for next != nil && next.order < e.order {
			next = next.next
		}
		q.insert(e, next, l, priority)
		reached[level] = next
	}
}

func (q *Queue[T]) insert(e, next *Entry[T], l *lane[T], priority int8) {
	n := int(priority) - executor.MinPriority
	level := &l.levels[n]
	level.lane, level.level = l, uint8(n)
	level.insert(e, next)
	l.filled[n/64] |= 1 << (n % 64)
	if l.size == 0 {
		q.busy = append(q.busy, l)
	}
	l.size++
	q.size++
}

// Remove takes an entry out, wherever it stands.
func (q *Queue[T]) Remove(e *Entry[T]) {
	level := e.list
	l := level.lane
	level.remove(e)
	if level.head == nil {
		l.filled[level.level/64] &^= 1 << (level.level % 64)
	}
	l.size--
	if l.size == 0 {
		i := slices.Index(q.busy, l)
		q.busy = slices.Delete(q.busy, i, i+1)
		if l != q.latest {
			q.drop(l)
		}
	}
	q.size--
}

// Next is the best entry of the types for which takes is true, or nil. It stays in the queue.
func (q *Queue[T]) Next(takes func(typ string) bool) *Entry[T] {
	var best *Entry[T]
	for _, l := range q.busy {
		if e := l.first(); (best == nil || before(e, best)) && takes(l.typ) {
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

// Count is how many entries have a type for which counts is true.
func (q *Queue[T]) Count(counts func(typ string) bool) int {
	n := 0
	for _, l := range q.busy {
		if counts(l.typ) {
			n += l.size
		}
	}
	return n
}

// laneOf is the lane of a type. It makes one if there is none.
func (q *Queue[T]) laneOf(typ string) *lane[T] {
	if q.latest != nil {
		if q.latest.typ == typ {
			return q.latest
		}
		if q.latest.size == 0 {
			q.drop(q.latest)
		}
	}
	l, ok := q.lanes[typ]
	if !ok {
		l = q.newLane(typ)
	}
	q.latest = l
	return l
}

// spareLanes is how many lanes are kept for reuse. A lane is large.
const spareLanes = 8

func (q *Queue[T]) newLane(typ string) (l *lane[T]) {
	if q.lanes == nil {
		q.lanes = map[string]*lane[T]{}
	}
	if last := len(q.spare) - 1; last >= 0 {
		l, q.spare[last] = q.spare[last], nil
		q.spare = q.spare[:last]
	} else {
		l = new(lane[T])
	}
	l.typ = typ
	q.lanes[typ] = l
	return l
}

// drop removes an empty lane: clients may use a new type for each task, so lanes must not pile up.
func (q *Queue[T]) drop(l *lane[T]) {
	delete(q.lanes, l.typ)
	if len(q.spare) < spareLanes {
		q.spare = append(q.spare, l)
	}
}

package kit

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/jobline/jobline/executor"
)

// Waiting is a task in a Backlog: its order number, and which watcher gets its events.
type Waiting struct {
	Order  uint64
	Owner  executor.WatcherID
	Events executor.EventMask
}

// Span is consecutive order numbers, from First on.
type Span struct {
	First uint64
	N     int
}

// Backlog has the places of queued tasks whose records the store does not hold in memory. It is the part of a
// long queue that comes after a Queue. Consecutive tasks with the same owner and events take 24 bytes together,
// as does a task without such a neighbour. The zero value is ready. It is not safe for concurrent use: the
// store's lock protects it.
type Backlog struct {
	types map[string]*backlogType // none of them empty
	size  int
}

// backlogType has the tasks of one type, by priority, the highest first. None of the levels is empty.
type backlogType struct {
	levels []*backlogLevel
	size   int
}

func (t *backlogType) search(priority int8) (int, bool) {
	return slices.BinarySearchFunc(t.levels, priority, func(l *backlogLevel, p int8) int { return cmp.Compare(p, l.priority) })
}

// Len is the number of tasks.
func (b *Backlog) Len() int { return b.size }

// Count is how many tasks have a type for which counts is true.
func (b *Backlog) Count(counts func(typ string) bool) int {
	n := 0
	for typ, t := range b.types {
		if counts(typ) {
			n += t.size
		}
	}
	return n
}

// Types are the types of the tasks.
func (b *Backlog) Types() iter.Seq[string] { return maps.Keys(b.types) }

// level is the level of a type and a priority, or nil.
func (b *Backlog) level(typ string, priority int8) *backlogLevel {
	if t := b.types[typ]; t != nil {
		if i, found := t.search(priority); found {
			return t.levels[i]
		}
	}
	return nil
}

// Add adds a task. It must not be there already.
func (b *Backlog) Add(typ string, priority int8, w Waiting) {
	t := b.types[typ]
	if t == nil {
		if b.types == nil {
			b.types = map[string]*backlogType{}
		}
		t = new(backlogType)
		b.types[typ] = t
	}
	i, found := t.search(priority)
	if !found {
		t.levels = slices.Insert(t.levels, i, &backlogLevel{priority: priority})
	}
	t.levels[i].add(w)
	t.size++
	b.size++
}

// Remove takes a task out, and reports whether it was there.
func (b *Backlog) Remove(typ string, priority int8, order uint64) (Waiting, bool) {
	l := b.level(typ, priority)
	if l == nil {
		return Waiting{}, false
	}
	w, found := l.remove(order)
	if !found {
		return w, false
	}
	b.size--
	t := b.types[typ]
	if t.size--; t.size == 0 {
		delete(b.types, typ)
	} else if len(l.chunks) == 0 {
		i, _ := t.search(priority)
		t.levels = slices.Delete(t.levels, i, i+1)
	}
	return w, true
}

// Has reports whether a task is there.
func (b *Backlog) Has(typ string, priority int8, order uint64) bool {
	l := b.level(typ, priority)
	return l != nil && l.has(order)
}

// Precedes reports whether a task of the type and the priority has a lower order number than this.
func (b *Backlog) Precedes(typ string, priority int8, order uint64) bool {
	l := b.level(typ, priority)
	return l != nil && l.first() < order
}

// Best is the place of the task that runs first, of the types for which takes is true.
func (b *Backlog) Best(takes func(typ string) bool) (priority int8, order uint64, found bool) {
	for typ, t := range b.types {
		p, first := t.levels[0].priority, t.levels[0].first()
		if (!found || p > priority || p == priority && first < order) && takes(typ) {
			priority, order, found = p, first, true
		}
	}
	return priority, order, found
}

// First are the tasks of a type that run first, at most most of them. All have the same priority. The type must
// be one of Types.
func (b *Backlog) First(typ string, most int) (priority int8, spans []Span) {
	l := b.types[typ].levels[0]
	for _, chunk := range l.chunks {
		for i := range chunk {
			n := min(int(chunk[i].n), most)
			if n == 0 {
				return l.priority, spans
			}
			most -= n
			spans = append(spans, Span{chunk[i].first, n})
		}
	}
	return l.priority, spans
}

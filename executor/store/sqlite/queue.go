package sqlite

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// Bounds of the part of the queue whose records are in memory.
const (
	// windowTasks is how many of the tasks of a type that run next have their records in
	// memory: as many as may be handed out while the disk stalls. The tasks behind them
	// are a backlog of numbers. Their records are read from the file before it is their
	// turn, when half of the window is empty.
	windowTasks = maxAhead
	// windowBytes is how many bytes of inputs the window has when no further record is
	// added to it, except leastAhead of a type of which it has none.
	windowBytes = 16 << 20
	leastAhead  = 16
	// readAhead is the most records that are read at a time, because commits wait
	// meanwhile.
	readAhead = 1024
)

// queue has the tasks that wait. Of each type and priority, the first ones are entries
// with their records, and the others are behind them in the backlog. The store's lock
// protects it.
type queue struct {
	kit.Claims[*record]
	backlog kit.Backlog
	window  int
	loaded  map[string]*loaded // by type
	latest  *loaded            // of the latest task: the next is often of the same type
	bytes   int                // of the inputs of the entries
}

// loaded counts the entries of a type.
type loaded struct {
	typ      string
	size     int
	priority [executor.MaxPriority - executor.MinPriority + 1]int32
}

// ahead counts the entries that have this priority or a higher one.
func (l *loaded) ahead(priority int8) int {
	n := 0
	for _, of := range l.priority[int(priority)-executor.MinPriority:] {
		n += int(of)
	}
	return n
}

func (q *queue) loadedOf(typ string) *loaded {
	if q.latest != nil && q.latest.typ == typ {
		return q.latest
	}
	l := q.loaded[typ]
	if l == nil {
		if q.loaded == nil {
			q.loaded = map[string]*loaded{}
		}
		l = &loaded{typ: typ}
		q.loaded[typ] = l
	}
	q.latest = l
	return l
}

// count notes that n more entries are like r.
func (q *queue) count(r *record, n int) {
	l := q.loadedOf(r.Type)
	l.size += n
	l.priority[int(r.Priority)-executor.MinPriority] += int32(n)
	q.bytes += n * len(r.Input)
}

// Len is how many tasks wait.
func (q *queue) Len() int { return q.Claims.Len() + q.backlog.Len() }

// add adds a task behind all others. It reports whether that is an entry: otherwise the
// record is not needed.
func (q *queue) add(r *record) bool {
	if q.isFar(r) {
		q.backlog.Add(r.Type, r.Priority, r.waiting())
		return false
	}
	q.load(r)
	return true
}

// isFar reports whether a new task goes to the backlog.
func (q *queue) isFar(r *record) bool {
	l := q.loadedOf(r.Type)
	return q.backlog.Precedes(r.Type, r.Priority, uint64(r.ord)) ||
		l.size >= q.window && l.ahead(r.Priority) >= q.window ||
		q.bytes >= windowBytes && l.ahead(r.Priority) > 0
}

// load adds an entry behind all others of its type and priority.
func (q *queue) load(r *record) {
	q.PushAs(&r.entry, uint64(r.ord), r.Type, r.Priority)
	q.count(r, 1)
}

// waiting is the task as the backlog has it.
func (r *record) waiting() kit.Waiting {
	return kit.Waiting{Order: uint64(r.ord), Owner: r.Owner, Events: r.Events}
}

// Take takes out the next task for a member. It answers nil where there is none, or where
// its record must be read first.
func (q *queue) Take(m *kit.Member) *record {
	if q.backlog.Len() > 0 && q.isBehind(m) {
		return nil
	}
	e := q.Claims.Take(m)
	if e == nil {
		return nil
	}
	q.count(e.Value, -1)
	return e.Value
}

// isBehind reports whether the next task for a member is in the backlog.
func (q *queue) isBehind(m *kit.Member) bool {
	priority, order, found := q.backlog.Best(m.Takes)
	if !found {
		return false
	}
	e := q.Peek(m)
	return e == nil || e.Value.Priority < priority || e.Value.Priority == priority && e.Order() > order
}

// Remove takes out an entry, wherever it stands.
func (q *queue) Remove(r *record) {
	q.Claims.Remove(&r.entry)
	q.count(r, -1)
}

// Return puts tasks that were taken out back in their places. It answers those whose
// records are not needed, because they stand in the backlog.
func (q *queue) Return(records []*record) (far []*record) {
	var entries []*kit.Entry[*record]
	for _, r := range records {
		if q.backlog.Precedes(r.Type, r.Priority, uint64(r.ord)) {
			q.backlog.Add(r.Type, r.Priority, r.waiting())
			far = append(far, r)
			continue
		}
		r.entry.SetOrder(uint64(r.ord)) // it may have been in the backlog
		entries = append(entries, &r.entry)
		q.count(r, 1)
	}
	q.Claims.Return(entries, func(r *record) (string, int8) { return r.Type, r.Priority })
	return far
}

// Unclaimable counts the tasks of types that are not the member's.
func (q *queue) Unclaimable(m *kit.Member) int {
	return q.Claims.Unclaimable(m) + q.backlog.Count(func(typ string) bool { return !m.Has(typ) })
}

// wanted are tasks of one type and priority whose records are to be read.
type wanted struct {
	typ      string
	priority int8
	spans    []kit.Span
}

// low reports whether records are to be read.
func (q *queue) low() bool {
	if q.backlog.Len() == 0 {
		return false
	}
	for typ := range q.backlog.Types() {
		if q.room(typ) > 0 {
			return true
		}
	}
	return false
}

// room is how many of the first tasks of a type that are in the backlog are to be read.
func (q *queue) room(typ string) int {
	priority, _ := q.backlog.First(typ, 0)
	ahead := q.loadedOf(typ).ahead(priority)
	switch {
	case ahead > q.window/2:
		return 0
	case q.bytes < windowBytes:
		return min(q.window-ahead, readAhead)
	case ahead == 0:
		return min(q.window, leastAhead)
	}
	return 0
}

// next answers which records are to be read.
func (q *queue) next() (all []wanted) {
	for typ := range q.backlog.Types() {
		if n := q.room(typ); n > 0 {
			priority, spans := q.backlog.First(typ, n)
			all = append(all, wanted{typ, priority, spans})
		}
	}
	return all
}

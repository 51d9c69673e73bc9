package kit

import (
	"slices"
	"sort"

	"github.com/jobline/jobline/executor"
)

// backlogRun is tasks with consecutive numbers, and the same owner and events.
type backlogRun struct {
	first  uint64
	owner  executor.WatcherID
	n      uint32
	events executor.EventMask
}

func (r *backlogRun) end() uint64 { return r.first + uint64(r.n) }

func (r *backlogRun) like(w Waiting) bool { return r.owner == w.Owner && r.events == w.Events }

// chunkRuns bounds the runs of a chunk, and so what is moved when a run is added or removed.
const chunkRuns = 128

// backlogLevel has the tasks of one type and one priority: runs in the order of their numbers. They are in
// chunks, so that adding and removing in the middle moves little.
type backlogLevel struct {
	priority int8
	chunks   [][]backlogRun // none of them empty
}

// first is the lowest number.
func (l *backlogLevel) first() uint64 { return l.chunks[0][0].first }

// find finds the last run that begins at or before a number: its chunk, and its index in it. Both are -1 if
// there is none.
func (l *backlogLevel) find(order uint64) (c, i int) {
	c = sort.Search(len(l.chunks), func(c int) bool { return l.chunks[c][0].first > order }) - 1
	if c < 0 {
		return -1, -1
	}
	chunk := l.chunks[c]
	return c, sort.Search(len(chunk), func(i int) bool { return chunk[i].first > order }) - 1
}

// run is the run at an index of a chunk, or nil.
func (l *backlogLevel) run(c, i int) *backlogRun {
	if c < 0 {
		return nil
	}
	return &l.chunks[c][i]
}

// after is the run after that one, or nil.
func (l *backlogLevel) after(c, i int) *backlogRun {
	switch {
	case c >= 0 && i+1 < len(l.chunks[c]):
		return &l.chunks[c][i+1]
	case c+1 < len(l.chunks):
		return &l.chunks[c+1][0]
	}
	return nil
}

func (l *backlogLevel) has(order uint64) bool {
	r := l.run(l.find(order))
	return r != nil && order < r.end()
}

func (l *backlogLevel) add(w Waiting) {
	c, i := l.find(w.Order)
	if r := l.run(c, i); r != nil && r.end() == w.Order && r.like(w) {
		r.n++
		return
	}
	if r := l.after(c, i); r != nil && r.first == w.Order+1 && r.like(w) {
		r.first--
		r.n++
		return
	}
	l.insert(c, i, backlogRun{first: w.Order, owner: w.Owner, n: 1, events: w.Events})
}

// insert puts a run after that one.
func (l *backlogLevel) insert(c, i int, r backlogRun) {
	switch {
	case len(l.chunks) == 0:
		l.chunks = append(l.chunks, []backlogRun{r})
		return
	case c < 0:
		c = 0
	}
	chunk := l.chunks[c]
	if len(chunk) == chunkRuns {
		half := chunkRuns / 2
		if i == chunkRuns-1 { // the usual case is adding at the end, which should fill chunks
			half = chunkRuns - 1
		}
		l.chunks = slices.Insert(l.chunks, c+1, slices.Clone(chunk[half:]))
		l.chunks[c] = chunk[:half]
		if i >= half {
			c, i = c+1, i-half
		}
	}
	l.chunks[c] = slices.Insert(l.chunks[c], i+1, r)
}

func (l *backlogLevel) remove(order uint64) (Waiting, bool) {
	c, i := l.find(order)
	r := l.run(c, i)
	if r == nil || order >= r.end() {
		return Waiting{}, false
	}
	w := Waiting{Order: order, Owner: r.owner, Events: r.events}
	switch {
	case r.n == 1:
		l.chunks[c] = slices.Delete(l.chunks[c], i, i+1)
		l.shrink(c)
	case order == r.first:
		r.first++
		r.n--
	case order == r.end()-1:
		r.n--
	default:
		rest := *r
		rest.first, rest.n = order+1, uint32(r.end()-order-1)
		r.n = uint32(order - r.first)
		l.insert(c, i, rest)
	}
	return w, true
}

// shrink removes an empty chunk, and joins a small chunk with the next.
func (l *backlogLevel) shrink(c int) {
	switch chunk := l.chunks[c]; {
	case len(chunk) == 0:
		l.chunks = slices.Delete(l.chunks, c, c+1)
	case c+1 < len(l.chunks) && len(chunk)+len(l.chunks[c+1]) <= chunkRuns/2:
		l.chunks[c] = append(chunk, l.chunks[c+1]...)
		l.chunks = slices.Delete(l.chunks, c+1, c+2)
	}
}

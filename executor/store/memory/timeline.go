package memory

import (
	"cmp"
	"maps"
	"slices"
	"sort"
)

// timeline is where the tasks are, in the order of their creation, for List. Tasks come
// with rising order numbers and leave in any order. Each costs 8 bytes while it is
// there, and nothing after.
type timeline struct {
	chunks []*chunk // by base, none empty
}

const chunkSize = 512

// chunk has the tasks of the order numbers base to base+chunkSize-1. Of those that are
// not final it has the entries, and of the final ones the numbers; either is nil where
// there are none.
type chunk struct {
	base           uint64
	entries        *[chunkSize]*entry
	finals         *[chunkSize]uint64 // the numbers and 1
	waiting, ended int                // how many there are of each
}

// add adds a task that is not final, with an order number above all before.
func (t *timeline) add(e *entry) {
	order := e.Order()
	base := order - order%chunkSize
	var last *chunk
	if n := len(t.chunks); n > 0 {
		last = t.chunks[n-1]
	}
	if last == nil || last.base != base {
		if last != nil && last.waiting == 0 {
			last.entries = nil
		}
		last = &chunk{base: base}
		t.chunks = append(t.chunks, last)
	}
	if last.entries == nil {
		last.entries = new([chunkSize]*entry)
	}
	last.entries[order-base] = e
	last.waiting++
}

// timelineMaker makes a timeline of tasks that come in any order.
type timelineMaker struct {
	chunks map[uint64]*chunk // by base
	latest *chunk
}

// slot is the chunk of an order number, and the place in it.
func (m *timelineMaker) slot(order uint64) (*chunk, uint64) {
	base := order - order%chunkSize
	if m.latest == nil || m.latest.base != base {
		if m.chunks == nil {
			m.chunks = map[uint64]*chunk{}
		}
		if m.chunks[base] == nil {
			m.chunks[base] = &chunk{base: base}
		}
		m.latest = m.chunks[base]
	}
	return m.latest, order - base
}

// add adds a task. It reports false where there is one of that order number.
func (m *timelineMaker) add(order uint64, p place) bool {
	c, n := m.slot(order)
	if _, taken := c.place(int(n)); taken {
		return false
	}
	if p.entry == nil {
		if c.finals == nil {
			c.finals = new([chunkSize]uint64)
		}
		c.finals[n] = p.number + 1
		c.ended++
		return true
	}
	if c.entries == nil {
		c.entries = new([chunkSize]*entry)
	}
	c.entries[n] = p.entry
	c.waiting++
	return true
}

// made is the timeline.
func (m *timelineMaker) made() timeline {
	return timeline{slices.SortedFunc(maps.Values(m.chunks), func(a, b *chunk) int { return cmp.Compare(a.base, b.base) })}
}

// end puts the number of a task that is final in the place of its entry.
func (t *timeline) end(order, number uint64) {
	c := t.chunks[t.from(order)]
	if c.finals == nil {
		c.finals = new([chunkSize]uint64)
	}
	c.finals[order-c.base] = number + 1
	c.ended++
	c.entries[order-c.base] = nil
	if c.waiting--; c.waiting == 0 && c != t.chunks[len(t.chunks)-1] { // the last may get more
		c.entries = nil
	}
}

// remove takes a final task out.
func (t *timeline) remove(order uint64) {
	i := t.from(order)
	c := t.chunks[i]
	c.finals[order-c.base] = 0
	if c.ended--; c.ended == 0 {
		if c.finals = nil; c.waiting == 0 {
			t.chunks = append(t.chunks[:i], t.chunks[i+1:]...)
		}
	}
}

// place is where the n-th task of the chunk is, or false.
func (c *chunk) place(n int) (place, bool) {
	if c.entries != nil && c.entries[n] != nil {
		return place{entry: c.entries[n]}, true
	}
	if c.finals != nil && c.finals[n] > 0 {
		return place{number: c.finals[n] - 1}, true
	}
	return place{}, false
}

// from is the index of the first chunk that reaches to order or beyond.
func (t *timeline) from(order uint64) int {
	if n := len(t.chunks); n > 0 { // where none between is gone, the place is known
		if i := (int64(order) - int64(t.chunks[0].base)) / chunkSize; i >= 0 && i < int64(n) && t.chunks[i].base == order-order%chunkSize {
			return int(i)
		}
	}
	return sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].base+chunkSize > order })
}

// upward calls f with the tasks after the given order number, oldest first, until it
// answers false.
func (t *timeline) upward(after uint64, f func(order uint64, p place) bool) {
	for i := t.from(after + 1); i < len(t.chunks); i++ {
		c := t.chunks[i]
		n := 0
		if after >= c.base {
			n = int(after - c.base + 1)
		}
		for ; n < chunkSize; n++ {
			if p, taken := c.place(n); taken && !f(c.base+uint64(n), p) {
				return
			}
		}
	}
}

// downward calls f with the tasks before the given order number, newest first, until
// it answers false.
func (t *timeline) downward(before uint64, f func(order uint64, p place) bool) {
	for i := min(t.from(before), len(t.chunks)-1); i >= 0; i-- {
		c := t.chunks[i]
		if before <= c.base {
			continue
		}
		for n := int(min(before-c.base, chunkSize)) - 1; n >= 0; n-- {
			if p, taken := c.place(n); taken && !f(c.base+uint64(n), p) {
				return
			}
		}
	}
}

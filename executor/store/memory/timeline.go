package memory

import (
	"cmp"
	"maps"
	"slices"
	"sort"
)

// timeline has the tasks in the order of their creation, for List. Tasks are added with rising order numbers
// and leave in any order. Each costs 8 bytes while it is there, and nothing after.
type timeline struct {
	chunks []*chunk // by base, none empty
}

const chunkSize = 512

// chunk has the tasks with the order numbers from base to base+chunkSize-1: entries for those that are not
// final, and numbers for the final ones. Either array is nil if it would be empty.
type chunk struct {
	base           uint64
	entries        *[chunkSize]*entry
	finals         *[chunkSize]uint64 // 1 + the number among the finals, or 0
	waiting, ended int                // how many tasks each array has
}

// add adds a task that is not final. Its order number must be above all before it.
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

// timelineMaker makes a timeline of tasks in any order.
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

// add adds a task. It reports false if there is one with that order number.
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

func (m *timelineMaker) made() timeline {
	return timeline{slices.SortedFunc(maps.Values(m.chunks), func(a, b *chunk) int { return cmp.Compare(a.base, b.base) })}
}

// end replaces the entry of a task that became final by its number.
func (t *timeline) end(order, number uint64) {
	c := t.chunks[t.from(order)]
	if c.finals == nil {
		c.finals = new([chunkSize]uint64)
	}
	c.finals[order-c.base] = number + 1
	c.ended++
	c.entries[order-c.base] = nil
	if c.waiting--; c.waiting == 0 && c != t.chunks[len(t.chunks)-1] { // the last chunk may get more entries
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

// place is where the n-th task of the chunk is. It is false if there is none.
func (c *chunk) place(n int) (place, bool) {
	if c.entries != nil && c.entries[n] != nil {
		return place{entry: c.entries[n]}, true
	}
	if c.finals != nil && c.finals[n] > 0 {
		return place{number: c.finals[n] - 1}, true
	}
	return place{}, false
}

// from is the index of the first chunk that has order or a later number.
func (t *timeline) from(order uint64) int {
	if n := len(t.chunks); n > 0 { // if no chunk in between was removed, the index follows from the number
		if i := (int64(order) - int64(t.chunks[0].base)) / chunkSize; i >= 0 && i < int64(n) && t.chunks[i].base == order-order%chunkSize {
			return int(i)
		}
	}
	return sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].base+chunkSize > order })
}

// upward calls f for each task after an order number, the oldest first, until it answers false.
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

// downward calls f for each task before an order number, the newest first, until it answers false.
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

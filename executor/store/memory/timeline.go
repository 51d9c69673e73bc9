package memory

import "sort"

// timeline is the records in the order of their creation, for List. Records
// come with rising order numbers and leave in any order; each costs a pointer
// while it is there and nothing after.
type timeline struct {
	chunks []*chunk // by base, none empty
}

const chunkSize = 512

// chunk has the records of the order numbers base to base+chunkSize-1.
type chunk struct {
	base    uint64
	live    int
	records [chunkSize]*entry
}

func (t *timeline) add(r *entry) {
	order := r.Order()
	base := order - order%chunkSize
	var last *chunk
	if n := len(t.chunks); n > 0 {
		last = t.chunks[n-1]
	}
	if last == nil || last.base != base {
		last = &chunk{base: base}
		t.chunks = append(t.chunks, last)
	}
	last.records[order-base] = r
	last.live++
}

func (t *timeline) remove(r *entry) {
	order := r.Order()
	i := t.from(order)
	c := t.chunks[i]
	c.records[order-c.base] = nil
	if c.live--; c.live == 0 {
		t.chunks = append(t.chunks[:i], t.chunks[i+1:]...)
	}
}

// from is the index of the first chunk that reaches to order or beyond.
func (t *timeline) from(order uint64) int {
	return sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].base+chunkSize > order })
}

// upward calls f with the records after the given order number, oldest first,
// until it answers false.
func (t *timeline) upward(after uint64, f func(*entry) bool) {
	for i := t.from(after + 1); i < len(t.chunks); i++ {
		c := t.chunks[i]
		n := 0
		if after >= c.base {
			n = int(after - c.base + 1)
		}
		for ; n < chunkSize; n++ {
			if r := c.records[n]; r != nil && !f(r) {
				return
			}
		}
	}
}

// downward calls f with the records before the given order number, newest
// first, until it answers false.
func (t *timeline) downward(before uint64, f func(*entry) bool) {
	for i := min(t.from(before), len(t.chunks)-1); i >= 0; i-- {
		c := t.chunks[i]
		if before <= c.base {
			continue
		}
		for n := int(min(before-c.base, chunkSize)) - 1; n >= 0; n-- {
			if r := c.records[n]; r != nil && !f(r) {
				return
			}
		}
	}
}

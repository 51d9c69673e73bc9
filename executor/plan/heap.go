package plan

// order compares the items of a heap, and knows where an item keeps its position: its index in the heap plus
// one, or 0.
type order[T any] interface {
	before(a, b T) bool
	position(T) *int32
}

// heap is a binary heap whose items know their positions, so that any item can be removed.
type heap[T any, O order[T]] struct {
	items []T
	order O // of size 0
}

func (h *heap[T, O]) len() int { return len(h.items) }

// first is the first item of a heap that is not empty.
func (h *heap[T, O]) first() T { return h.items[0] }

func (h *heap[T, O]) push(item T) {
	h.items = append(h.items, item)
	h.up(len(h.items)-1, item)
}

// remove takes out an item that is in the heap.
func (h *heap[T, O]) remove(item T) {
	p := h.order.position(item)
	i := int(*p) - 1
	*p = 0
	n := len(h.items) - 1
	last := h.items[n]
	var none T
	h.items[n] = none
	h.items = h.items[:n]
	if i < n {
		h.place(i, last)
	}
	if cap(h.items) > 64 && n < cap(h.items)/4 { // a burst does not keep its memory
		h.items = append(make([]T, 0, cap(h.items)/2), h.items...)
	}
}

// fix restores the heap after a change of an item.
func (h *heap[T, O]) fix(item T) { h.place(int(*h.order.position(item))-1, item) }

// place puts an item at an index, and moves it from there to where it belongs.
func (h *heap[T, O]) place(i int, item T) {
	if i > 0 && h.order.before(item, h.items[(i-1)/2]) {
		h.up(i, item)
	} else {
		h.down(i, item)
	}
}

func (h *heap[T, O]) set(i int, item T) {
	h.items[i] = item
	*h.order.position(item) = int32(i + 1)
}

func (h *heap[T, O]) up(i int, item T) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.order.before(item, h.items[parent]) {
			break
		}
		h.set(i, h.items[parent])
		i = parent
	}
	h.set(i, item)
}

func (h *heap[T, O]) down(i int, item T) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if child+1 < len(h.items) && h.order.before(h.items[child+1], h.items[child]) {
			child++
		}
		if !h.order.before(h.items[child], item) {
			break
		}
		h.set(i, h.items[child])
		i = child
	}
	h.set(i, item)
}

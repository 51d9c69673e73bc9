package plan

// turns are the tasks of a lane, in the order in which they run. Tasks mostly come in that order; then entering
// and leaving take constant time. A task that comes before one that is there already goes into a heap.
type turns struct {
	line []*Task // in order, behind the first skipped; nil is one that has left
	gone int     // how many at the beginning of the line have left
	size int     // how many tasks of the line have not
	base uint32  // the position of line[0], modulo 1<<32
	rest heap[*Task, byTurn]
}

func (q *turns) len() int { return q.size + q.rest.len() }

// first is the task that runs first, of turns that are not empty.
func (q *turns) first() *Task {
	switch {
	case q.size == 0:
		return q.rest.first()
	case q.rest.len() > 0 && before(q.rest.first(), q.line[q.gone]):
		return q.rest.first()
	}
	return q.line[q.gone]
}

func (q *turns) push(t *Task) {
	if q.size > 0 && before(t, q.line[len(q.line)-1]) {
		q.rest.push(t)
		return
	}
	if len(q.line) == cap(q.line) {
		q.move()
	}
	t.lined, t.waiting = true, int32(q.base+uint32(len(q.line)))
	q.line = append(q.line, t)
	q.size++
}

func (q *turns) remove(t *Task) {
	if !t.lined {
		q.rest.remove(t)
		return
	}
	q.line[uint32(t.waiting)-q.base] = nil
	t.lined, t.waiting = false, 0
	if q.size--; q.size == 0 {
		q.base += uint32(len(q.line))
		q.line, q.gone = q.line[:0], 0
		if cap(q.line) > leastTurns { // a burst does not keep its memory
			q.line = nil
		}
		return
	}
	for q.line[q.gone] == nil {
		q.gone++
	}
	for q.line[len(q.line)-1] == nil {
		q.line = q.line[:len(q.line)-1]
	}
}

// leastTurns is the length of the smallest line.
const leastTurns = 8

// move moves the tasks of the line to one that is at most half full.
func (q *turns) move() {
	line := make([]*Task, 0, max(2*q.size, leastTurns))
	q.base += uint32(len(q.line))
	for _, t := range q.line[q.gone:] {
		if t != nil {
			t.waiting = int32(q.base + uint32(len(line)))
			line = append(line, t)
		}
	}
	q.line, q.gone = line, 0
}

// each calls yield for each of the tasks.
func (q *turns) each(yield func(*Task) bool) {
	for _, all := range [][]*Task{q.line[q.gone:], q.rest.items} {
		for _, t := range all {
			if t != nil && !yield(t) {
				return
			}
		}
	}
}

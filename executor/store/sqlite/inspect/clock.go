package inspect

import "github.com/jobline/jobline/executor/store/sqlite/internal/file"

// breaks compares the table clock with the creation times of the tasks, the oldest task
// first. A missing row can hide tasks from a list by time. A row too many only costs time,
// and is found only where no task is missing that could explain it.
type breaks struct {
	next int64 // the next row of the table; 0 is none
	prev int64 // the task before; 0 is none
	// latest is the latest creation time since the clock was set back, among the tasks
	// that can be read. It is valid if known is set.
	latest int64
	known  bool
	// gap is set if a task since then was removed or cannot be read: its time may have
	// been later.
	gap bool
	err error // why the table cannot be read
}

// skipTo goes on to the first row behind a number.
func (k *checker) skipTo(ord int64) {
	b := &k.breaks
	b.next, b.err = k.conn.Number("SELECT coalesce(min(ord), 0) FROM clock WHERE ord>?", ord)
}

// tick looks at a task; readable is whether its time is what was written.
func (k *checker) tick(ord, created int64, readable bool) {
	b := &k.breaks
	if b.err != nil {
		return
	}
	first := b.prev == 0
	if first {
		b.known, b.gap = ord == 1, ord != 1
		k.skipTo(0)
	} else if ord != b.prev+1 {
		b.gap = true
	}
	b.prev = ord
	for b.err == nil && b.next != 0 && b.next < ord { // of a task that is gone
		b.known, b.gap = false, true
		k.skipTo(b.next)
	}
	if b.err != nil {
		return
	}
	has := b.next == ord
	if has {
		k.skipTo(ord)
	}
	back := b.known && created < b.latest-file.ClockSlack
	switch {
	case !readable:
		b.gap = true
		b.known = b.known && !has
		return
	case has && b.known && !b.gap && !back:
		k.found(ord, "the table clock says that the clock was set back before it, and its time says that it was not")
	case back && !has && !first: // the row of the first task that is kept is of no use
		k.found(ord, "the clock was set back before it, and that is not in the table clock: a list by times may not find it, or others")
	}
	switch {
	case back, has && (!b.known || b.gap):
		b.latest, b.gap = created, false
	case !b.known:
		b.latest = created
	default:
		b.latest = max(b.latest, created)
	}
	b.known = true
}

// clock looks for rows of tasks that never were.
func (k *checker) clock() error {
	if k.breaks.err != nil {
		return k.breaks.err
	}
	st, err := file.ReadState(k.conn)
	if err != nil {
		return nil // it is reported with the counters
	}
	n, err := k.conn.Number("SELECT count(*) FROM clock WHERE ord<1 OR ord>?", st.Ord)
	if err == nil && n > 0 {
		k.found(0, "the table clock has rows of tasks that never were: %d", n)
	}
	return err
}

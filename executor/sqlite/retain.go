package sqlite

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

const (
	// retainTime is how long one transaction goes on to remove, so that no
	// commit waits for it.
	retainTime = 4 * time.Millisecond
	// retainStep is how many tasks are looked at between two looks at the time.
	retainStep = 32
	// retainBytes is how much the tasks may be together that are looked at.
	retainBytes = 1 << 20
	// freePages and freeShare are how much of the file may be empty before it
	// is made smaller: so many pages, and one of so many.
	freePages = 64
	freeShare = 10
	// shrinkStep is how many pages are given back at a time.
	shrinkStep = 64
)

// old is a final task that may have to go.
type old struct {
	executor.Record
	ord, bytes int64
	seq        uint64
}

// retain removes the oldest of the final tasks that are too many, too large
// together or too old; not all of them at once.
func (t *transaction) retain() error {
	t.store.mu.Lock()
	t.expiry = t.store.expiry
	t.store.mu.Unlock()
	begun, removed, cutoff := time.Now(), 0, clock()-t.keepFor()
	known := t.expiry > 0
	for step := 2; (t.tooMany() || t.tooOld()) && time.Since(begun) < retainTime; step = min(2*step, retainStep) {
		olds, err := t.oldest(step)
		if err != nil {
			return err
		}
		n, err := t.removeOld(olds, cutoff)
		if removed += n; err != nil {
			return err
		}
		if known = n < len(olds); known {
			t.expiry = olds[n].FinishedAt + t.keepFor()
			break
		}
		if n == 0 {
			break
		}
	}
	t.store.committer.behind = t.tooMany() && removed > 0
	if known {
		return nil
	}
	return t.findExpiry()
}

// findExpiry finds when the first of the ends is no longer kept.
func (t *transaction) findExpiry() error {
	t.expiry = 0
	if t.state.finals() == 0 {
		return nil
	}
	olds, err := t.oldest(1)
	if len(olds) > 0 {
		t.expiry = olds[0].FinishedAt + t.keepFor()
	}
	return err
}

// tooMany reports whether the oldest must go because of the others.
func (t *transaction) tooMany() bool {
	o, n := &t.store.options, t.state.finals()
	return n > 0 && n > int64(o.Keep) || n > 1 && t.state.bytes > o.KeepBytes
}

// tooOld reports whether the oldest may have to go because of its age.
func (t *transaction) tooOld() bool { return t.expiry > 0 && clock() > t.expiry }

// keepFor is for how long an end is kept, in microseconds.
func (t *transaction) keepFor() schema.Time {
	return schema.Time(t.store.options.KeepFor.Microseconds())
}

// selectOldest reads what ended first. A large result is read with it, for its
// row to be checked.
const selectOldest = "SELECT " + bareColumns + ", " + doneColumns + " FROM done INDEXED BY done_seq JOIN task USING(ord) ORDER BY seq"

// oldest answers so many of the tasks that ended first, or fewer that are large
// together. Those that are damaged are passed over, and so are kept: what their
// rows say of their age, their size and their place is not to be trusted.
func (t *transaction) oldest(most int) (olds []old, err error) {
	size := int64(0)
	err = t.conn.query(selectOldest, func(row *sqlite3.Stmt) error {
		o := old{bytes: row.ColumnInt64(doneAt + 6)}
		var err error
		if o.Record, o.ord, err = t.store.readTask(t.conn, row); err == nil {
			o.seq, err = readDone(row, doneAt, &o.Task)
		}
		if errors.Is(err, errChecksum) {
			return nil
		}
		if err != nil {
			return err
		}
		o.Result = nil
		olds = append(olds, o)
		if size += o.bytes; len(olds) == most || size > retainBytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return olds, err
}

// removeOld removes from the beginning of a list what must go.
func (t *transaction) removeOld(olds []old, cutoff schema.Time) (n int, err error) {
	for i := range olds {
		o := &olds[i]
		if o.FinishedAt >= cutoff && !t.tooMany() {
			return n, nil
		}
		if _, err := t.writer(); err != nil {
			return n, err
		}
		if err := t.removeDone(o); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (t *transaction) removeDone(o *old) error {
	err := t.conn.exec("DELETE FROM output WHERE ord=?", o.ord)
	if err == nil {
		err = t.conn.exec("DELETE FROM done WHERE ord=?", o.ord)
	}
	if err == nil {
		err = t.remove(o.ord, o.Labels)
	}
	t.state.ended(o.State, -1, -o.bytes)
	t.state.gone = max(t.state.gone, int64(o.seq))
	t.evicted = append(t.evicted, o.ID)
	t.store.committer.freed = true
	return err
}

// retained shows what a transaction has removed; it needs the lock.
func (s *Store) retained(t *transaction) {
	s.expiry = t.expiry
	s.counts.Completed, s.counts.Failed, s.counts.Cancelled = t.state.completed, t.state.failed, t.state.cancelled
	s.counts.Evicted += int64(len(t.evicted))
	for _, id := range t.evicted {
		if r := s.ended[id]; r != nil {
			delete(s.ended, id)
			s.dirty = slices.DeleteFunc(s.dirty, func(o *record) bool { return o == r })
		}
	}
}

// expired reports whether the oldest end is too old; it needs the lock.
func (s *Store) expired() bool { return s.expiry > 0 && clock() > s.expiry }

// sweepExpired waits until what is too old was removed, or as much of it as
// one transaction removes.
func (s *Store) sweepExpired(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return executor.ErrClosed
	}
	if !s.expired() || s.fault != nil {
		s.mu.Unlock()
		return nil
	}
	e := &sweep{ready: make(chan struct{})}
	s.append(e)
	s.mu.Unlock()
	select {
	case <-e.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sweep is an entry that writes nothing: every transaction removes what is too old.
type sweep struct{ ready chan struct{} }

func (e *sweep) weight() (int, int)       { return 0, 0 }
func (e *sweep) write(*transaction) error { return nil }
func (e *sweep) apply(*Store)             {}
func (e *sweep) fail(*Store, error) entry { return nil }
func (e *sweep) done()                    { close(e.ready) }

// shrink gives some free pages back to the system, where there are many.
func (s *Store) shrink() error {
	c := &s.committer
	free, err := c.conn.number("PRAGMA freelist_count")
	if err != nil {
		return s.failed(nil, nil, err)
	}
	pages, err := c.conn.number("PRAGMA page_count")
	if err != nil {
		return s.failed(nil, nil, err)
	}
	if free <= max(freePages, pages/freeShare) {
		c.freed = false
		return nil
	}
	if err := s.relaxed(func() error { return c.conn.Exec("PRAGMA incremental_vacuum(" + strconv.Itoa(shrinkStep) + ")") }); err != nil {
		return s.failed(nil, nil, err)
	}
	return nil
}

package sqlite

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
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
	// freePages and freeShare are how much of the file may be empty before it
	// is made smaller: so many pages, and one of so many.
	freePages = 64
	freeShare = 10
	// shrinkStep is how many pages are given back at a time.
	shrinkStep = 64
)

// old is a final task that may have to go.
type old struct {
	ord, seq, bytes, finished int64
	state                     schema.State
	id                        uuid.UUID
	labels                    map[string]string
}

// retain removes the oldest of the final tasks that are too many, too large
// together or too old; not all of them at once.
func (t *transaction) retain() error {
	t.store.mu.Lock()
	t.expiry = t.store.expiry
	t.store.mu.Unlock()
	now := clock()
	begun, removed := time.Now(), 0
	for (t.tooMany() || t.tooOld(now)) && time.Since(begun) < retainTime {
		olds, err := t.oldest(retainStep)
		if err != nil {
			return err
		}
		n, err := t.removeOld(olds, now)
		if removed += n; err != nil {
			return err
		}
		if n < retainStep {
			break
		}
	}
	t.store.committer.behind = t.tooMany() && removed > 0
	if removed == 0 && (t.expiry > 0 || t.state.finals() == 0) {
		return nil
	}
	return t.setExpiry()
}

// tooMany reports whether the oldest must go because of the others.
func (t *transaction) tooMany() bool {
	o, n := &t.store.options, t.state.finals()
	return n > 0 && n > int64(o.Keep) || n > 1 && t.state.bytes > o.KeepBytes
}

// tooOld reports whether the oldest may have to go because of its age.
func (t *transaction) tooOld(now schema.Time) bool { return t.expiry > 0 && now > t.expiry }

func (t *transaction) oldest(n int64) (olds []old, err error) {
	err = t.conn.query("SELECT done.ord, seq, bytes, created+coalesce(done.started,0)+finished, state, id, labels FROM done INDEXED BY done_seq JOIN task USING(ord) ORDER BY seq LIMIT ?",
		func(row *sqlite3.Stmt) error {
			o := old{row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt64(2), row.ColumnInt64(3), schema.State(row.ColumnInt64(4)), uuid.UUID{}, nil}
			copy(o.id[:], row.ColumnRawBlob(5))
			if labels := row.ColumnRawText(6); labels != nil {
				_ = json.Unmarshal(labels, &o.labels) // of a damaged row some may stay, and are found by no task
			}
			olds = append(olds, o)
			return nil
		}, n)
	return olds, err
}

// removeOld removes from the beginning of a list what must go.
func (t *transaction) removeOld(olds []old, now schema.Time) (n int, err error) {
	cutoff := now - schema.Time(t.store.options.KeepFor.Microseconds())
	for i := range olds {
		o := &olds[i]
		if schema.Time(o.finished) >= cutoff && !t.tooMany() {
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
		err = t.remove(o.ord, o.labels)
	}
	t.state.ended(o.state, -1, -o.bytes)
	t.state.gone = max(t.state.gone, o.seq)
	t.evicted = append(t.evicted, o.id)
	t.store.committer.freed = true
	return err
}

// setExpiry finds when the oldest end is no longer kept.
func (t *transaction) setExpiry() error {
	finished, err := t.conn.number("SELECT created+coalesce(done.started,0)+finished FROM done INDEXED BY done_seq JOIN task USING(ord) ORDER BY seq LIMIT 1")
	t.expiry = 0
	if finished > 0 {
		t.expiry = schema.Time(finished + t.store.options.KeepFor.Microseconds())
	}
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

package sqlite

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

const (
	// retainTime is how long one transaction removes tasks, unless more have ended meanwhile.
	// It is short, so that commits do not wait for it.
	retainTime = 4 * time.Millisecond
	// retainStep is how many tasks are looked at between two looks at the time.
	retainStep = 32
	// retainBytes is the most bytes that the tasks looked at may have together.
	retainBytes = 1 << 20
	// freePages and freeShare bound the free part of the file before it is made
	// smaller: freePages pages, and one page in freeShare.
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
	ended      schema.Time // the time from which its age counts; it had ended by then
}

// retain removes the oldest final tasks if there are too many, or if they are too
// large together or too old. It may leave some for later transactions, but removes as many as
// have ended since it was called last, so that there are never more and more of them.
func (t *transaction) retain(ended int) error {
	begun, removed, cutoff := time.Now(), 0, clock()-t.keepFor()
	known := t.expiry > 0
	for step := 2; (t.tooMany() || t.tooOld()) && (removed < ended || time.Since(begun) < retainTime); step = min(2*step, retainStep) {
		olds, err := t.oldest(step)
		if err != nil {
			return err
		}
		n, err := t.removeOld(olds, cutoff)
		if removed += n; err != nil {
			return err
		}
		if known = n < len(olds); known {
			t.expiry = olds[n].ended + t.keepFor()
			break
		}
		if n == 0 {
			break
		}
	}
	t.store.committer.behind, t.store.committer.held = t.tooMany() && removed > 0, t.held
	if removed > 0 {
		if err := t.forgetBreaks(); err != nil {
			return err
		}
	}
	if known {
		return nil
	}
	return t.findExpiry()
}

// findExpiry finds the time when the oldest end expires.
func (t *transaction) findExpiry() error {
	t.expiry = 0
	if t.state.Finals() == 0 {
		return nil
	}
	olds, err := t.oldest(1)
	if len(olds) > 0 {
		t.expiry = olds[0].ended + t.keepFor()
	}
	return err
}

// tooMany reports whether the oldest must go because of the others.
func (t *transaction) tooMany() bool {
	o, n := &t.store.options, t.state.Finals()
	return n > 0 && n > int64(o.Keep) || n > 1 && t.state.Bytes > o.KeepBytes
}

// tooOld reports whether the oldest may have to go because of its age.
func (t *transaction) tooOld() bool { return t.expiry > 0 && clock() > t.expiry }

// keepFor is for how long an end is kept, in microseconds.
func (t *transaction) keepFor() schema.Time {
	return schema.Time(t.store.options.KeepFor.Microseconds())
}

// selectOld reads a task that has ended. A large result is read with it, for its row to be
// checked.
const selectOld = "SELECT " + file.BareColumns + ", " + file.DoneColumns + " FROM done JOIN task USING(ord) WHERE done.ord=?"

// oldest answers up to most tasks that ended first, or fewer if they are large
// together. It skips damaged tasks, so they are kept: the age, size and place in
// their rows cannot be trusted.
func (t *transaction) oldest(most int) (olds []old, err error) {
	size := int64(0)
	each := func(row *sqlite3.Stmt) error {
		o := old{bytes: row.ColumnInt64(file.DoneAt + 6)}
		var err error
		if o.Record, o.ord, err = file.ReadTask(t.conn, t.store.types, row); err == nil {
			o.seq, err = file.ReadDone(row, file.DoneAt, &o.Task)
		}
		if errors.Is(err, executor.ErrDamaged) {
			return nil
		}
		if err != nil {
			return err
		}
		o.Result, o.ended = nil, o.FinishedAt
		olds = append(olds, o)
		if size += o.bytes; len(olds) == most || size > retainBytes {
			return errEnough
		}
		return nil
	}
	err = file.EachEnd(t.conn, 0, math.MaxInt64, func(e file.End) error { return t.conn.Query(selectOld, each, e.Ord) })
	if errors.Is(err, errEnough) {
		err = nil
	}
	for i := range olds {
		if err == nil {
			err = t.dateBack(&olds[i])
		}
	}
	return olds, err
}

// dateBack corrects the end of a task that was recorded while the clock ran ahead,
// before it was set back. The task is no younger than the first later end that is
// not ahead of the clock. If there is no such end, it is no younger than now.
func (t *transaction) dateBack(o *old) error {
	now, known := clock(), &t.store.committer.dated
	if o.FinishedAt <= now+clockSlack {
		return nil
	}
	if o.seq >= known.seq {
		*known = dating{seq: t.seq + 1, at: now}
		err := file.EachEnd(t.conn, int64(o.seq), math.MaxInt64, func(e file.End) error {
			at, err := t.conn.Number(selectEnd, e.Ord)
			if err == nil && at > 0 && schema.Time(at) <= now {
				*known = dating{uint64(e.Seq), schema.Time(at)}
				return errEnough
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	o.ended = min(o.ended, known.at)
	return nil
}

// dating is a time by which all ends below a number had happened.
type dating struct {
	seq uint64
	at  schema.Time
}

// selectEnd is the time when a task ended.
const selectEnd = "SELECT max(created, created+ifnull(done.started,0))+finished FROM done JOIN task USING(ord) WHERE done.ord=?"

// removeOld removes from the beginning of a list what must go.
func (t *transaction) removeOld(olds []old, cutoff schema.Time) (n int, err error) {
	for i := range olds {
		o := &olds[i]
		if o.ended >= cutoff && !t.tooMany() {
			return n, nil
		}
		if t.held = t.isReason(o); t.held || t.store.descending(o.ID) {
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

// isReason reports whether the end of a task is to be kept because others must end by it, or may
// have to, and their ends are not recorded yet. The next process needs it to end them: where a
// task is not there any more, those that come after it may run.
func (t *transaction) isReason(o *old) bool {
	if _, awaited := t.awaited[o.ID]; awaited {
		return true
	}
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.store.planned.Dooms(o.ID, t.store.nodes.Get(o.ID), o.State)
}

func (t *transaction) removeDone(o *old) error {
	t.removesEnd(file.End{Ord: o.ord, Seq: int64(o.seq)})
	err := t.conn.Run("DELETE FROM output WHERE ord=?", o.ord)
	if err == nil {
		err = t.conn.Run("DELETE FROM done WHERE ord=?", o.ord)
	}
	if err == nil {
		err = t.remove(o.ord, &o.Task)
	}
	if err == nil {
		err = t.forget(o.ID)
	}
	t.state.Ended(o.State, -1, -o.bytes)
	t.state.Removed = max(t.state.Removed, int64(o.seq))
	t.evicted++
	if kit.DedupeOf(o.Conditions) != nil || executor.ParentOf(o.Conditions) != uuid.Nil {
		t.forgets = append(t.forgets, o.Record)
	}
	t.store.committer.freed = true
	return err
}

// evict removes what retention does not keep, after so many tasks have ended. It keeps the
// tasks that are awaited by those that were just recorded. Its
// transaction is not synced: after a power cut, the tasks are removed again. The transaction
// is separate, so that its outcome does not matter if its commit fails. evicted makes the
// result visible.
func (s *Store) evict(ended int, awaited map[uuid.UUID]struct{}) (*transaction, error) {
	c := &s.committer
	s.mu.Lock()
	t := &transaction{store: s, conn: c.conn, state: c.state, seq: s.feed.Seq(), expiry: s.expiry, awaited: awaited}
	s.mu.Unlock()
	if !t.tooMany() && !t.tooOld() && (t.expiry > 0 || t.state.Finals() == 0) {
		c.behind, c.held = false, false
		return t, nil
	}
	err := s.relaxed(func() error {
		err := t.retain(ended)
		if err == nil {
			err = t.commit()
		}
		return err
	})
	if err == nil {
		c.state = t.state
	}
	return t, err
}

// evicted makes the result of evict visible. It needs the lock.
func (s *Store) evicted(t *transaction) {
	s.expiry = t.expiry
	s.counts.Evicted += t.evicted
	for i := range t.forgets {
		s.dedupes.Forget(t.forgets[i].Conditions, t.forgets[i].ID)
		s.trees.Forget(t.forgets[i].ID)
	}
	s.breaks = slices.DeleteFunc(s.breaks, func(ord int64) bool { return ord <= t.first })
	s.countFinals()
}

// sweep evicts when there is nothing else to write.
func (s *Store) sweep() error {
	if err := s.ready(); err != nil {
		return s.failed(nil, nil, err)
	}
	t, err := s.evict(0, nil)
	if err != nil {
		return s.failed(t, nil, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evicted(t)
	return nil
}

// countFinals shows how many tasks are final; it needs the lock.
func (s *Store) countFinals() {
	st := &s.committer.state
	s.counts.Completed, s.counts.Failed, s.counts.Cancelled = st.Completed, st.Failed, st.Cancelled
}

// relaxed runs do without a sync to the disk.
func (s *Store) relaxed(do func() error) error {
	c := &s.committer
	if err := c.conn.Exec("PRAGMA synchronous=NORMAL"); err != nil {
		return err
	}
	err := do()
	if err != nil && !c.conn.GetAutocommit() {
		_ = c.conn.Run("ROLLBACK")
	}
	if strict := c.conn.Exec("PRAGMA synchronous=" + s.options.synchronous); strict != nil {
		c.broken = true // it would not sync any more
		return strict
	}
	return err
}

// expired reports whether the oldest end is too old; it needs the lock.
func (s *Store) expired() bool { return s.expiry > 0 && clock() > s.expiry }

// sweepExpired waits until tasks that are too old are removed, or as many of them
// as one transaction removes.
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
	if s.sweeping == nil {
		s.sweeping = make(chan struct{})
		s.notify()
	}
	swept := s.sweeping
	s.mu.Unlock()
	select {
	case <-swept:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shrink gives some free pages back to the system, where there are many.
func (s *Store) shrink() error {
	c := &s.committer
	free, err := c.conn.Number("PRAGMA freelist_count")
	if err != nil {
		return s.failed(nil, nil, err)
	}
	pages, err := c.conn.Number("PRAGMA page_count")
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

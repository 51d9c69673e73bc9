package sqlite

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// undo is a task, or settings, that a transaction has changed in the file, although no client
// was told of the change.
type undo struct {
	record   *record
	inserted bool    // it did not exist before
	setting  setting // in place of a task
	retried  bool    // its history has changed
	updated  *updating
}

// reconnect opens the file again after an error. Writes to the write-ahead log since
// the last sync may be lost. So all connections are closed, which makes SQLite read
// the log again and use the part that is whole.
func (s *Store) reconnect() error {
	c := &s.committer
	if err := s.readers.abandon(); err != nil {
		return err
	}
	if c.conn != nil {
		if err := c.conn.Abandon(); err != nil {
			return err
		}
		c.conn = nil
	}
	if err := file.RewriteWAL(s.path, s.options.VFS, s.options.synchronous); err != nil {
		return err
	}
	conn, err := file.DialWriter(s.path, s.options.VFS, s.options.synchronous, false)
	if err != nil {
		return err
	}
	c.conn = conn
	if err := s.hasAcknowledged(); err != nil {
		return err
	}
	if err := conn.RestartWAL(); err != nil {
		return err
	}
	state, err := file.ReadState(conn)
	if err == nil {
		state.Forgotten, err = file.ReadForgotten(conn)
	}
	if err != nil {
		return err
	}
	state.Greatest = c.state.Greatest
	c.state = state
	if err := s.readOpen(); err != nil { // a transaction that was in doubt may have changed them
		return err
	}
	if c.inDoubt > 0 && c.state.Commits >= c.inDoubt {
		if err := s.heal(); err != nil {
			return err
		}
	}
	breaks, err := loadBreaks(conn) // a transaction that was in doubt may have made one
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.breaks = breaks
	c.undo = nil
	s.expiry = 0 // an eviction may have been lost
	s.countFinals()
	s.rewriteOutput()
	s.mu.Unlock()
	c.inDoubt, c.broken = 0, false
	return nil
}

// heal undoes a transaction that was reported as failed, but is in the file.
func (s *Store) heal() error {
	c := &s.committer
	t := &transaction{store: s, conn: c.conn, state: c.state, open: s.open.Change()}
	_, err := t.writer()
	for i := range c.undo {
		if err == nil {
			err = t.undo(&c.undo[i])
		}
	}
	if err == nil {
		err = t.commit()
	}
	if err != nil {
		t.rollback()
		return err
	}
	c.state = t.state
	s.mu.Lock()
	defer s.mu.Unlock()
	t.open.Apply()
	return nil
}

func (t *transaction) undo(u *undo) error {
	if u.setting != nil {
		return u.setting.asIs(t.store).write(t)
	}
	r := u.record
	if u.inserted {
		t.open.Remove(r.ord)
		if err := t.remove(r.ord, &r.Task); err != nil {
			return err
		}
		t.state.Active -= t.conn.Changes()
		return t.removeActive(r.ord)
	}
	if u.updated != nil {
		if err := t.undoUpdate(u.updated); err != nil {
			return err
		}
	}
	t.open.Add(r.ord)
	err := t.conn.Query("SELECT state, bytes, seq FROM done WHERE ord=?", func(row *sqlite3.Stmt) error {
		t.removesEnd(file.End{Ord: r.ord, Seq: row.ColumnInt64(2)})
		t.state.Ended(schema.State(row.ColumnInt64(0)), -1, -row.ColumnInt64(1))
		t.state.Active++
		return nil
	}, r.ord)
	if err == nil {
		err = t.conn.Run("DELETE FROM done WHERE ord=?", r.ord)
	}
	if err != nil {
		return err
	}
	t.store.mu.Lock()
	delete(t.store.permits.given, r.ord)
	a := file.Active{Attempt: r.Attempt, Again: r.History != nil}
	switch {
	case r.State == schema.Running:
		a = file.Active{Attempt: r.Attempt, Started: r.StartedAt, Cancelled: r.CancelRequestedAt, Reason: r.CancelReason}
	case r.lease != nil: // it has begun, and its start is still in the log
		a = file.Active{Attempt: r.lease.claimed.Attempt, Started: r.lease.claimed.StartedAt}
	}
	history := r.History
	t.store.mu.Unlock()
	if u.retried {
		if err := file.WriteHistory(t.conn, r.ord, history); err != nil {
			return err
		}
	}
	return t.writeActive(r, a)
}

// undoUpdate makes the row of a task what clients see of it.
func (t *transaction) undoUpdate(e *updating) error {
	t.store.mu.Lock()
	r := e.record.Record
	t.store.mu.Unlock()
	return t.rewrite(e.record.ord, &r, e.to.Labels)
}

// removesEnd notes that an end is removed.
func (t *transaction) removesEnd(e file.End) {
	if t.unusedEnds == nil {
		t.unusedEnds = map[file.EndSpan]struct{}{}
	}
	t.unusedEnds[e.Span()] = struct{}{}
}

// remove deletes a task with its labels, conditions and history. How many tasks it was, the
// connection's Changes says.
func (t *transaction) remove(ord int64, task *schema.Task) error {
	typ, err := t.typeNumber(task.Type)
	if err != nil {
		return err
	}
	if t.unusedTypes == nil {
		t.unusedTypes = map[file.TypeSpan]struct{}{}
	}
	t.unusedTypes[file.SpanOf(typ, ord)] = struct{}{}
	for name, value := range task.Labels {
		if err := file.RemoveLabel(t.conn, ord, name, value); err != nil {
			return err
		}
	}
	if task.Conditions != nil {
		if err := file.RemoveConditions(t.conn, ord); err != nil {
			return err
		}
	}
	if file.HasHistory(task) {
		if err := file.RemoveHistory(t.conn, ord); err != nil {
			return err
		}
	}
	return t.conn.Run("DELETE FROM task WHERE ord=?", ord)
}

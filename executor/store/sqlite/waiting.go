package sqlite

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file reads the tasks of the queue's backlog, whose records are not in memory.

// loadAhead reads the records of the tasks that run next, if few of them are in memory.
// The committer calls it, between two transactions.
func (s *Store) loadAhead() error {
	s.mu.Lock()
	if s.fault != nil || s.closed || !s.claims.low() {
		s.mu.Unlock()
		return nil
	}
	next := s.claims.next()
	s.mu.Unlock()
	if err := s.ready(); err != nil {
		return s.failed(nil, nil, err)
	}
	for i := range next {
		for _, span := range next[i].spans {
			found, err := s.readSpan(span)
			if err != nil {
				return s.failed(nil, nil, err)
			}
			s.loadSpan(&next[i], span, found)
		}
	}
	return nil
}

// loadSpan makes entries of tasks of the backlog. Those that are not in found could not
// be read. They are left in the file, and are not run.
func (s *Store) loadSpan(of *wanted, span kit.Span, found []*record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ord := span.First; ord < span.First+uint64(span.N); ord++ {
		w, waits := s.claims.backlog.Remove(of.typ, of.priority, ord)
		var r *record
		if len(found) > 0 && found[0].ord == int64(ord) {
			r, found = found[0], found[1:]
		}
		switch {
		case !waits: // it was cancelled meanwhile
		case r == nil:
			s.counts.Queued--
		default:
			s.recall(r, w)
			s.claims.load(r)
		}
	}
	s.claims.Wake(span.N)
}

// recall makes the record of a task of the backlog one of those in memory. It needs the
// lock.
func (s *Store) recall(r *record, w kit.Waiting) {
	r.Owner, r.Events = w.Owner, w.Events
	s.live[r.ID] = r
}

// readSpan reads the records of tasks that wait, in order. It leaves out those that
// cannot be read.
func (s *Store) readSpan(span kit.Span) (found []*record, err error) {
	first, last := int64(span.First), int64(span.First)+int64(span.N)-1
	found, err = s.readWaiting(first, last)
	if errors.Is(err, sqlite3.CORRUPT) && span.N > 1 { // some of them may be on other pages
		found = nil
		for ord := first; ord <= last; ord++ {
			one, err := s.readSpan(kit.Span{First: uint64(ord), N: 1})
			if err != nil {
				return nil, err
			}
			found = append(found, one...)
		}
		return found, nil
	}
	if errors.Is(err, sqlite3.CORRUPT) {
		s.log.Error(unreadableText, "number", first, "error", err)
		return nil, nil
	}
	if missing := span.N - len(found); err == nil && missing > 0 {
		s.log.Error("tasks that wait cannot be read; they are not run", "numbers", [2]int64{first, last}, "missing", missing)
	}
	return found, err
}

const unreadableText = "a task that is not final cannot be read; it is left in the file and not run"

// readWaiting reads the records of the tasks from first to last that are not final.
func (s *Store) readWaiting(first, last int64) (found []*record, err error) {
	c := s.committer.conn
	err = c.Query(selectOpen, func(row *sqlite3.Stmt) error {
		ord := row.ColumnInt64(0)
		if !s.open.Has(ord) { // nobody else changes it
			return nil
		}
		r, _, err := s.readLive(c, row, s.open.Started(ord))
		if errors.Is(err, executor.ErrDamaged) {
			s.log.Error(unreadableText, "error", err)
			return nil
		}
		found = append(found, r)
		return err
	}, first, last)
	for _, r := range found {
		if err == nil && r.Attempt > 0 {
			err = s.restoreOutput(c, r)
		}
	}
	return found, err
}

// inBacklog reports whether a task waits in the backlog. It needs the lock.
func (s *Store) inBacklog(t *schema.Task, ord int64) bool {
	return s.claims.backlog.Has(t.Type, t.Priority, uint64(ord))
}

// storedWith reads a task that has no record in memory: it is final, or in the
// backlog. If it has a record by now, that is answered as it is seen.
func (s *Store) storedWith(c *file.Conn, id uuid.UUID) (r executor.Record, ord int64, err error) {
	for range 2 { // it may end after it was read, and after that has no row in active
		var final bool
		if r, ord, final, err = s.rowOf(c, id); err != nil || final {
			return r, ord, err
		}
		s.mu.Lock()
		live, waits := s.live[id], s.inBacklog(&r.Task, ord)
		if live != nil {
			r = live.Record
			r.Task = s.snapshot(live)
		}
		s.mu.Unlock()
		if err = executor.ErrNotFound; waits {
			r.Attempt, err = s.attempts(c, ord)
		}
		switch {
		case live != nil:
			return r, ord, nil
		case waits && !errors.Is(err, executor.ErrDamaged):
			return r, ord, err
		}
	}
	return r, ord, err
}

// waitingWith reads the record of a task that is not final. It answers nil where there is
// none that can be read.
func (s *Store) waitingWith(c *file.Conn, id uuid.UUID) (*record, error) {
	r, err := s.absentWith(c, id)
	if r == nil || r.State.Final() {
		return nil, err
	}
	return r, err
}

// absentWith reads the record of a task that is final or waits. It answers nil where there
// is none that can be read.
func (s *Store) absentWith(c *file.Conn, id uuid.UUID) (*record, error) {
	r := new(record)
	r.entry.Value = r
	var final bool
	var err error
	r.Record, r.ord, final, err = s.rowOf(c, id)
	if err == nil && !final {
		r.Attempt, err = s.attempts(c, r.ord)
	}
	if err == nil && !final && r.Attempt > 0 {
		err = s.restoreOutput(c, r)
	}
	if errors.Is(err, executor.ErrNotFound) || errors.Is(err, executor.ErrDamaged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// attempts is how often a task that waits was tried.
func (s *Store) attempts(c *file.Conn, ord int64) (int32, error) {
	s.mu.Lock()
	started := s.open.Started(ord)
	s.mu.Unlock()
	if !started {
		return 0, nil
	}
	a, found, err := file.ActiveOf(c, ord)
	if err == nil && !found {
		err = executor.ErrDamaged
	}
	return a.Attempt, err
}

// readAbsent reads those tasks of ids that have no record in memory: they are final, or wait
// in the backlog. It stops when what it has read takes more than pageBytes, and answers for
// how many of the ids, at least one, it has looked. A single id is only looked for in the
// backlog.
func (s *Store) readAbsent(ctx context.Context, ids []uuid.UUID) (found map[uuid.UUID]*record, looked int, err error) {
	var absent []int
	s.mu.Lock()
	if len(ids) > 1 || s.claims.backlog.Len() > 0 {
		for i, id := range ids {
			if s.live[id] == nil {
				absent = append(absent, i)
			}
		}
	}
	s.mu.Unlock()
	if absent == nil {
		return nil, len(ids), nil
	}
	found, looked = map[uuid.UUID]*record{}, len(ids)
	err = s.readers.with(ctx, s, func(c *file.Conn) error {
		size := int64(0)
		for _, i := range absent {
			r, err := s.absentWith(c, ids[i])
			if err != nil {
				return err
			}
			if r == nil {
				continue
			}
			found[ids[i]] = r
			if size += kit.KeptBytes(r.Input, r.Result, r.out.kept()); size > pageBytes {
				looked = i + 1
				return nil
			}
		}
		return nil
	})
	return found, looked, err
}

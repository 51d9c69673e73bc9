package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

const selectOpen = "SELECT " + file.TaskColumns + ", active.ord, attempt, started, cancelled, reason, active.sum" +
	" FROM task LEFT JOIN active USING(ord) WHERE task.ord>=? AND task.ord<=? ORDER BY task.ord"

// recover loads the tasks that the last process left. It queues those that are not
// final, in their order. It ends a task if the outcome of its attempt is unknown and
// the task must not run twice.
func (s *Store) recover(ctx context.Context) error {
	c := &s.committer
	var err error
	if c.state, err = file.ReadState(c.conn); err != nil {
		return err
	}
	if c.state.Forgotten, err = file.ReadForgotten(c.conn); err != nil {
		return err
	}
	if c.state.Greatest, err = file.ReadGreatest(c.conn); err != nil {
		return err
	}
	if err := s.types.Load(c.conn); err != nil {
		return err
	}
	if s.breaks, err = loadBreaks(c.conn); err != nil {
		return err
	}
	s.feed.SetSeq(uint64(c.state.Seq))
	if err := s.readOpen(); err != nil {
		return err
	}
	t, err := s.begins()
	if err != nil {
		return err
	}
	// Begun before the tasks are read, each by a query of its own: a query outside
	// of a transaction takes and gives back a lock of the file. New numbers are
	// reserved in the same transaction, before any is used.
	var interrupted []ending
	again := 0
	if _, err = t.writer(); err == nil {
		interrupted, again, err = s.load(ctx, t)
	}
	for i := range interrupted {
		if err == nil {
			err = interrupted[i].write(t)
		}
	}
	if err == nil {
		err = t.number(0)
	}
	if err == nil {
		err = t.commit()
	}
	if err != nil {
		t.rollback()
		return err
	}
	c.state = t.state
	t.open.Apply()
	s.reserved = uint64(t.state.Seq)
	for i := range interrupted {
		s.counts.Queued++ // for apply to take back
		interrupted[i].apply(s)
	}
	if err := s.planFound(); err != nil {
		return err
	}
	s.countFinals()
	disk.RemoveBegun(s.options.begunDir, s.opened) // no permit is left
	s.tellFound(interrupted, again)
	return s.removeMore()
}

// readOpen reads which tasks are not final.
func (s *Store) readOpen() error {
	c := &s.committer
	open, err := file.ReadOpen(c.conn, func(err error) {
		s.log.Error("which tasks are not final cannot be read; it is found out from their ends", "error", err)
	})
	if err != nil {
		return err
	}
	if n := open.Count(); n != c.state.Active {
		return fmt.Errorf("tasks that are not final: %d by the counter in the table store, %d by their bits in it; jobline store check tells more", c.state.Active, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = open
	return nil
}

// tellFound logs which tasks the last process left.
func (s *Store) tellFound(interrupted []ending, again int) {
	for i := range interrupted {
		r := interrupted[i].record
		s.log.Info("a task was interrupted: its server ended while it ran", "task", r.ID, "type", r.Type)
	}
	s.log.Info("the store is open", "file", s.path, "queued", s.counts.Queued, "runAgain", again, "interrupted", len(interrupted),
		"finished", s.counts.Completed+s.counts.Failed+s.counts.Cancelled)
}

// removeMore removes, for a limited time, tasks beyond the limits of this process.
func (s *Store) removeMore() error {
	err := s.sweep()
	for begun := time.Now(); err == nil && s.committer.behind && time.Since(begun) < 5*retainTime; {
		err = s.sweep()
	}
	s.counts.Evicted = 0
	return err
}

func loadBreaks(c *file.Conn) (breaks []int64, err error) {
	err = c.Query("SELECT ord FROM clock ORDER BY ord", func(row *sqlite3.Stmt) error {
		breaks = append(breaks, row.ColumnInt64(0))
		return nil
	})
	return breaks, err
}

// load reads the tasks that are not final. It answers the ends of those that
// were interrupted, and how many run again.
func (s *Store) load(ctx context.Context, t *transaction) (interrupted []ending, again int, err error) {
	found := int64(0)
	permits := foundPermits{store: s}
	var unused []*record // tasks with a permit that have not begun
	var ran []tried      // tasks that run again
	err = s.open.EachRange(func(first, last int64) error {
		return t.conn.Query(selectOpen, func(row *sqlite3.Stmt) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			ord := row.ColumnInt64(0)
			if !s.open.Has(ord) {
				return nil
			}
			found++
			r, a, err := s.readLive(t.conn, row, s.open.Started(ord))
			switch {
			case errors.Is(err, executor.ErrDamaged):
				s.log.Error(unreadableText, "error", err)
			case err != nil:
				return err
			case a.Permit != "" && permits.unused(ord, a.Permit):
				unused = append(unused, r)
				s.enqueue(r)
			case a.Permit != "":
				r.Attempt, a.Started = r.Attempt+1, permits.startOf(ord)
				interrupted = append(interrupted, interruption(r, a))
			case a.Started.IsZero():
				s.enqueue(r)
				if r.Attempt > 0 {
					again++
				}
			case a.Cancelled.IsZero() && r.RunsAgain():
				ran = append(ran, triedAgain(r, a.Started))
				again++
			default:
				interrupted = append(interrupted, interruption(r, a))
			}
			return nil
		}, first, last)
	})
	if err == nil && found != t.state.Active {
		err = fmt.Errorf("tasks that are not final: %d by the table store, %d by the rows; jobline store check tells more", t.state.Active, found)
	}
	for _, r := range s.live {
		if err == nil && r.Attempt > 0 {
			err = s.restoreOutput(t.conn, r)
		}
	}
	if err == nil {
		err = s.loaded(t, unused, ran)
	}
	for i := range interrupted {
		if r := interrupted[i].record; err == nil {
			err = s.restoreOutput(t.conn, r)
			interrupted[i].task.OutputBytes = r.out.bytes()
			interrupted[i].size += r.out.kept()
		}
	}
	return interrupted, again, err
}

// loaded records what load has found out: which tasks have not begun although they had a
// permit, and which run again.
func (s *Store) loaded(t *transaction, unused []*record, ran []tried) error {
	for _, r := range unused {
		if err := t.writeActive(r, file.Active{Attempt: r.Attempt}); err != nil {
			return err
		}
	}
	for _, one := range ran {
		if err := s.tryAgain(t, one); err != nil {
			return err
		}
	}
	return nil
}

// readLive reads a task that is not final, from a row of selectOpen. started is whether it
// has a row in the table active.
func (s *Store) readLive(c *file.Conn, row *sqlite3.Stmt, started bool) (r *record, a file.Active, err error) {
	r = new(record)
	r.entry.Value = r
	if r.Record, r.ord, err = file.ReadTask(c, s.types, row); err == nil {
		a, err = file.ReadStart(row, file.DoneAt, started)
	}
	if r.Attempt = a.Attempt; err == nil && a.Attempt > 0 {
		r.History, err = file.ReadHistory(c, r.ord)
	}
	if err == nil && a.Again && r.History == nil {
		err = file.LostHistory(r.ord)
	}
	return r, a, err
}

// enqueue adds a task that waits. One that is for the planner is not in it yet.
func (s *Store) enqueue(r *record) {
	if r.Conditions != nil || r.History != nil {
		s.plansAgain(r)
		s.live[r.ID] = r
	} else if s.claims.add(r) {
		s.live[r.ID] = r
	}
	s.counts.Queued++
}

// interruption is the end of a task whose process died.
func interruption(r *record, a file.Active) ending {
	as := r.Task
	as.StartedAt = a.Started
	if !a.Cancelled.IsZero() {
		as.CancelRequestedAt, as.CancelReason = a.Cancelled, a.Reason
	}
	return endOf(r, as, kit.Interruption(a.Started, a.Cancelled, a.Reason, nil))
}

// restoreOutput reads back what an earlier attempt has written.
func (s *Store) restoreOutput(c *file.Conn, r *record) error {
	for i := range schema.StreamNames {
		err := file.EachPiece(c, r.ord, schema.Stream(i), func(p file.Piece) error {
			s.restorePiece(r, schema.Stream(i), p)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// restorePiece reads back the piece that follows. Output before a gap is not shown.
func (s *Store) restorePiece(r *record, stream schema.Stream, p file.Piece) {
	if r.out.streams == nil {
		r.out.streams = new(kit.Streams)
	}
	ring := &r.out.streams[stream]
	switch {
	case p.Data == nil:
		ring.Restart(p.End)
	case p.Start != ring.Total():
		ring.Restart(p.Start)
	}
	ring.Write(p.Data, s.options.MaxOutput)
	r.out.written[stream] = ring.Total()
}

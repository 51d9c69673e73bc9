package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// This file reads a file for a copy.

// source is a file that this process holds, and reads.
type source struct {
	*fileContents
	lock *disk.Lock
}

// CopyFrom holds a store, and reads its file. First it opens the store as a server does, and closes it:
// so the tasks that ran when the last process died are settled, and the file is of the newest version. It
// forgets no task. A *HeldError says that another process has the store.
func CopyFrom(ctx context.Context, path string) (transfer.From, error) {
	found, err := disk.ResolvePath(path)
	if err != nil {
		return nil, err
	}
	switch empty, err := file.Probe(found); {
	case err != nil:
		return nil, err
	case empty:
		return nil, fmt.Errorf("there is no store %s; name the file that serve has as --store", path)
	}
	at := schema.Now()
	if err := settleFile(ctx, found); err != nil {
		return nil, err
	}
	lock, err := disk.TakeLock(found)
	if err != nil {
		return nil, err
	}
	conn, err := file.DialReader(found, "")
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	from := &source{&fileContents{conn: conn, types: file.NewTypes()}, lock}
	if err := from.readAbout(at); err != nil {
		return nil, errors.Join(file.ExplainCorruption(found, err, file.AdviceInspect), from.Close())
	}
	return from, nil
}

// Unchanged implements transfer.From. Nobody can have changed it.
func (s *source) Unchanged(context.Context) error { return nil }

// Close implements transfer.From.
func (s *source) Close() error { return errors.Join(s.conn.Close(), s.lock.Release()) }

// settleFile opens a store and closes it when all is recorded that its start begins.
func settleFile(ctx context.Context, path string) error {
	const most = math.MaxInt32
	s, err := Open(ctx, Options{
		Path: path, Keep: most, KeepFor: math.MaxInt64, KeepBytes: math.MaxInt64, KeepIDs: most, MaxQueued: most, MaxOutput: 1 << 30,
	})
	if err != nil {
		return err
	}
	return errors.Join(s.settled(ctx), s.Close())
}

// settledPause is how long to wait before looking again.
const settledPause = time.Millisecond

// settled waits until there is nothing to record. No task runs.
func (s *Store) settled(ctx context.Context) error {
	for {
		s.pass()
		s.mu.Lock()
		fault := s.fault
		is := len(s.entries) == 0 && !s.inFlight && len(s.descents) == 0 && s.planned.Settled()
		s.mu.Unlock()
		if fault != nil {
			return fault
		}
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(settledPause):
		}
	}
}

// fileContents are those of a file in which nothing runs.
type fileContents struct {
	conn  *file.Conn
	types *file.Types
	about transfer.About
}

// readAbout reads what there is beside tasks.
func (c *fileContents) readAbout(at schema.Time) error {
	st, err := file.ReadState(c.conn)
	if err != nil {
		return err
	}
	c.about = transfer.About{At: at, Order: uint64(st.Ord), Seq: uint64(st.Seq), Gone: uint64(st.Removed)}
	a := &c.about
	var bad error
	err = file.ReadGroups(c.conn, func(name string, s plan.Settings, err error) {
		switch {
		case err != nil:
			bad = errors.Join(bad, err)
		case name == "":
			a.Paused = s.Paused
		default:
			a.Groups = append(a.Groups, transfer.Group{Name: name, Settings: s})
		}
	})
	if err == nil {
		err = file.ReadSchedules(c.conn, func(name string, text []byte, err error) {
			bad = errors.Join(bad, err)
			a.Schedules = append(a.Schedules, executor.ScheduleText{Name: name, Text: text})
		})
	}
	if err = errors.Join(err, bad); err != nil {
		return err
	}
	if err := c.readStarts(at); err != nil {
		return err
	}
	a.Limits.MaxOutput, err = c.maxOutput()
	return err
}

// readStarts reads which tasks have begun of each group that has a rate.
func (c *fileContents) readStarts(now schema.Time) error {
	began, err := startsOf(c.conn, func(yield func(string, plan.Rate) bool) {
		for _, g := range c.about.Groups {
			if !yield(g.Name, g.Settings.Rate) {
				return
			}
		}
	}, now)
	for i := range c.about.Groups {
		g := &c.about.Groups[i]
		g.Starts = began[g.Name]
	}
	return err
}

// maxOutput is how many bytes of each stream are read: as many as by default, or all where a server
// has kept more.
func (c *fileContents) maxOutput() (int, error) {
	longest, err := c.conn.Number("SELECT coalesce(max(n), 0) FROM (SELECT sum(length(data)) AS n FROM output GROUP BY ord, stream)")
	if longest <= DefaultMaxOutput+2*executor.MaxOutputPiece { // the file has up to that much more than is shown
		return DefaultMaxOutput, err
	}
	return int(longest), err
}

// About implements transfer.Source.
func (c *fileContents) About() *transfer.About { return &c.about }

// Forgotten implements transfer.Source.
func (c *fileContents) Forgotten(ctx context.Context, f func(uuid.UUID) error) error {
	return c.conn.Query("SELECT n, id, sum FROM gone ORDER BY n", func(row *sqlite3.Stmt) error {
		n, raw := row.ColumnInt64(0), row.ColumnRawBlob(1)
		id, err := uuid.FromBytes(raw)
		if err != nil || file.ForgottenDigest(nil, n, raw).Sum() != row.ColumnInt64(2) {
			return fmt.Errorf("%w: the checksum of row %d in the table gone is wrong", executor.ErrDamaged, n)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return f(id)
	})
}

const selectFinal = "SELECT " + file.TaskColumns + ", " + file.DoneColumns + " FROM task JOIN done ON done.ord=task.ord WHERE task.ord=?"

// Finals implements transfer.Source.
func (c *fileContents) Finals(ctx context.Context, f func(*transfer.Task) error) error {
	return c.conn.Snapshot(func() error {
		return file.EachEnd(c.conn, 0, int64(c.about.Seq), func(e file.End) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			t, err := c.final(e.Ord)
			if err == nil {
				err = f(t)
			}
			return err
		})
	})
}

func (c *fileContents) final(ord int64) (*transfer.Task, error) {
	t := &transfer.Task{Order: uint64(ord)}
	err := c.conn.Query(selectFinal, func(row *sqlite3.Stmt) (err error) {
		if t.Record, _, err = file.ReadTask(c.conn, c.types, row); err == nil {
			t.Seq, err = file.ReadDone(row, file.DoneAt, &t.Task)
		}
		return err
	}, ord)
	if err == nil && file.HasHistory(&t.Task) {
		t.History, err = file.ReadHistory(c.conn, ord)
	}
	if err == nil && t.OutputBytes != nil {
		err = c.readOutput(t)
	}
	return t, err
}

// Waiting implements transfer.Source.
func (c *fileContents) Waiting(ctx context.Context, f func(*transfer.Task) error) error {
	return c.conn.Snapshot(func() error {
		var bad error
		open, err := file.ReadOpen(c.conn, func(err error) { bad = err })
		if err = errors.Join(err, bad); err != nil {
			return err
		}
		found := int64(0)
		err = open.EachRange(func(first, last int64) error {
			return c.conn.Query(selectOpen, func(row *sqlite3.Stmt) error {
				ord := row.ColumnInt64(0)
				if !open.Has(ord) {
					return nil
				}
				found++
				if err := context.Cause(ctx); err != nil {
					return err
				}
				t, err := c.waiting(row, open.Started(ord))
				if err == nil {
					err = f(t)
				}
				return err
			}, first, last)
		})
		if n := open.Count(); err == nil && found != n {
			err = fmt.Errorf("%w: %d tasks have not ended, and there are rows of %d", executor.ErrDamaged, n, found)
		}
		return err
	})
}

// waiting reads a task that waits, from a row of selectOpen. started is whether it has a row in the table active.
func (c *fileContents) waiting(row *sqlite3.Stmt, started bool) (*transfer.Task, error) {
	r, ord, err := file.ReadTask(c.conn, c.types, row)
	if err != nil {
		return nil, err
	}
	t := &transfer.Task{Record: r, Order: uint64(ord)}
	a, err := file.ReadStart(row, file.DoneAt, started)
	if t.Attempt = a.Attempt; err != nil || t.Attempt == 0 {
		return t, err
	}
	if t.History, err = file.ReadHistory(c.conn, ord); err == nil {
		err = c.readOutput(t)
	}
	return t, err
}

// readOutput reads what is kept of the output of a task: of each stream what is behind its last gap. Damaged output
// is as output that is not there.
func (c *fileContents) readOutput(t *transfer.Task) error {
	var ends [len(schema.StreamNames)]int64
	err := file.EachPieceOf(c.conn, int64(t.Order), func(stream schema.Stream, p file.Piece) error {
		kept, end := &t.Output[stream], &ends[stream]
		if p.Data == nil || p.Start != *end {
			*kept = nil
		}
		*kept, *end = append(*kept, p.Data...), p.End
		return nil
	})
	for i, kept := range t.Output {
		if t.State.Final() && ends[i] != file.WrittenBytes(t.OutputBytes, schema.Stream(i)) { // the end of it is lost
			kept = nil
		}
		t.Output[i] = kept[max(len(kept)-c.about.Limits.MaxOutput, 0):]
	}
	if written := (schema.OutputBytes{Stdout: ends[schema.Stdout], Stderr: ends[schema.Stderr], Log: ends[schema.Log]}); !t.State.Final() && written != (schema.OutputBytes{}) {
		t.OutputBytes = &written
	}
	return err
}

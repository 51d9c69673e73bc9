package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// maxReaders is how many connections read.
const maxReaders = 2

// readers are the connections that read. One is open from the beginning, with all
// its files, so that tasks can be read even if the process can open no more files.
// The others are opened when they are first needed.
type readers struct {
	free chan *file.Conn // nil stands for a connection that is not open
	open atomic.Int32    // how many of them are
}

func (rs *readers) init() {
	rs.free = make(chan *file.Conn, maxReaders)
	for range maxReaders {
		rs.free <- nil
	}
}

// warm opens the first connection, and has it open all its files.
func (rs *readers) warm(s *Store) error {
	c, err := file.DialReader(s.path, s.options.VFS)
	if err != nil {
		return err
	}
	if _, err := file.ReadState(c); err != nil {
		return errors.Join(err, c.Abandon())
	}
	<-rs.free
	rs.open.Add(1)
	rs.free <- c
	return nil
}

// otherPatience is the time between two tries to get a connection if no more can be
// opened.
const otherPatience = time.Millisecond

// take waits for a connection. If no more can be opened, it waits for one that is
// open already.
func (rs *readers) take(ctx context.Context, s *Store) (*file.Conn, error) {
	for {
		var c *file.Conn
		var there bool
		select {
		case c, there = <-rs.free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !there {
			return nil, executor.ErrClosed
		}
		if c != nil {
			return c, nil
		}
		c, err := file.DialReader(s.path, s.options.VFS)
		if err == nil {
			rs.open.Add(1)
			return c, nil
		}
		rs.free <- nil
		if rs.open.Load() == 0 {
			return nil, s.unavailable(err)
		}
		time.Sleep(otherPatience)
	}
}

// with calls f with a connection. A transaction that f leaves open would hold
// up the write-ahead log, so f reads all that it wants.
func (rs *readers) with(ctx context.Context, s *Store, f func(*file.Conn) error) (err error) {
	c, err := rs.take(ctx, s)
	if err != nil {
		return err
	}
	defer func() { rs.free <- c }()
	err = f(c)
	if _, fault := errors.AsType[sqlite3.ErrorCode](err); fault {
		_ = c.Close()
		c = nil
		rs.open.Add(-1)
		return s.unavailable(err)
	}
	return err
}

// abandon ends all connections; they are opened again when they are needed.
func (rs *readers) abandon() (err error) {
	var taken [maxReaders]*file.Conn
	for i := range taken { // all of them, so that none is opened meanwhile
		taken[i] = <-rs.free
	}
	for _, c := range taken {
		if c != nil {
			err = errors.Join(err, c.Abandon())
			rs.open.Add(-1)
		}
		rs.free <- nil
	}
	return err
}

// close waits for those who read.
func (rs *readers) close() (err error) {
	for range maxReaders {
		if c := <-rs.free; c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	close(rs.free)
	return err
}

const (
	selectByID = "SELECT " + file.TaskColumns + ", " + file.DoneColumns + " FROM task LEFT JOIN done ON done.ord=task.ord WHERE id=?"
)

// finalWith reads a final task, or answers ErrNotFound.
func (s *Store) finalWith(c *file.Conn, id uuid.UUID) (r executor.Record, ord int64, err error) {
	r, ord, final, err := s.rowOf(c, id)
	if err == nil && !final {
		err = executor.ErrNotFound
	}
	return r, ord, err
}

// rowOf reads what the file has of a task and of its end, or answers ErrNotFound.
func (s *Store) rowOf(c *file.Conn, id uuid.UUID) (r executor.Record, ord int64, final bool, err error) {
	found := false
	err = c.Query(selectByID, func(row *sqlite3.Stmt) (err error) {
		found, final = true, row.ColumnType(file.DoneAt) != sqlite3.NULL
		if r, ord, err = file.ReadTask(c, s.types, row); err == nil && final {
			_, err = file.ReadDone(row, file.DoneAt, &r.Task)
		}
		if err == nil && final && file.HasHistory(&r.Task) {
			r.History, err = file.ReadHistory(c, ord)
		}
		return err
	}, id[:])
	if err == nil && !found {
		err = executor.ErrNotFound
	}
	return r, ord, final, err
}

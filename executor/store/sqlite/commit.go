package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// These bound the time between a failure and the next try. The shorter one holds
// if there is something to write, the longer one in any case.
const (
	retryLeast = 50 * time.Millisecond
	retryMost  = time.Second
)

// committer is the state of the goroutine that writes. No other goroutine uses it.
type committer struct {
	conn *file.Conn
	// These are rows of the tables typed and ended that are there.
	typed map[file.TypeSpan]struct{}
	ended map[file.EndSpan]struct{}
	state file.State
	// inDoubt is the number of a transaction that may or may not be in the file,
	// or 0. undo lists what must be removed if it is; the store's lock protects it.
	inDoubt        int64
	undo           []undo
	returned       []*record // tasks to put back into the queue; the store's lock protects them
	broken         bool      // the connection is to be opened again
	filesCheckedAt time.Time // when filesIntact looked at the files
	freed          bool      // there may be pages to give back
	behind         bool      // there is more to remove
	held           bool      // there is more to remove as soon as other tasks have ended
	dated          dating    // of ends by a clock that ran ahead
	acknowledged   int64     // the latest transaction on disk: a client may know of it
	lost           error     // why nothing is recorded any more, or nil
}

// close closes the connection. If something has failed, it takes care of the
// write-ahead log.
func (c *committer) close(failed bool) error {
	switch {
	case c.conn == nil:
		return nil
	case failed:
		return c.conn.Abandon()
	}
	return c.conn.Close()
}

// commitLoop writes until the store is closed.
func (s *Store) commitLoop() {
	defer close(s.over)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.gather()
		closed := s.round()
		if closed {
			break
		}
		timer.Reset(s.pause())
		select {
		case <-s.wake:
		case <-timer.C:
		}
	}
	s.closeErr = s.finishUp()
}

// pause is how long the committer may sleep unless it is notified.
func (s *Store) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	const forever = 24 * time.Hour
	pause := forever
	switch {
	case s.fault != nil && len(s.entries) > 0 && s.retriable():
		return time.Until(s.tried.Add(retryLeast))
	case s.fault != nil:
		return time.Until(s.tried.Add(retryMost))
	case s.pressing || s.committer.freed || s.committer.behind || s.committer.held || s.claims.low():
		return 0
	}
	pause = s.flushIn(pause)
	if s.expiry > 0 {
		pause = min(pause, time.Until(s.expiry.Time())+time.Millisecond)
	}
	return max(pause, 0)
}

// retriable reports whether a caller waits for an entry in the log. It needs the
// lock.
func (s *Store) retriable() bool {
	for _, e := range s.entries {
		switch e.(type) {
		case *submission, *cancellation, *resetting, *updating:
			return true
		}
	}
	return false
}

// mayTry reports whether the latest failure was long enough ago; it needs the lock.
func (s *Store) mayTry() bool { return time.Since(s.tried) >= retryLeast }

// round does the work that is due, once. It reports whether the store is closed
// and nothing is left to do.
func (s *Store) round() (closed bool) {
	s.mu.Lock()
	closing, fault := s.closed, s.fault
	if fault != nil && !closing && !s.mayTry() {
		s.mu.Unlock()
		return false
	}
	batch, sweeping := s.takeBatch(), s.sweeping
	s.sweeping = nil
	due := len(batch) > 0 || fault != nil || closing && len(s.dirty) > 0 || s.flushIn(flushAfter) <= 0
	s.inFlight = true
	s.mu.Unlock()

	err := error(nil)
	if due {
		err = s.write(batch)
		clear(batch) // the batch shares the log's array, which stays in use
	} else {
		err = s.sweep()
	}
	if sweeping != nil {
		close(sweeping)
	}
	if err == nil {
		err = s.loadAhead()
	}
	if err == nil && len(batch) == 0 && s.committer.freed && !closing {
		err = s.shrink()
	}
	if err == nil {
		err = s.checkpoint()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight = false
	if closing && err != nil {
		return true
	}
	return closing && len(s.entries) == 0 && len(s.dirty) == 0
}

// checkpoint empties the write-ahead log now and then. A failure puts in doubt all
// that was committed since the latest sync.
func (s *Store) checkpoint() error {
	if err := s.committer.conn.Checkpoint(); err != nil {
		return s.failed(nil, nil, err)
	}
	return nil
}

// write writes entries in one transaction, and then tells those who wait.
func (s *Store) write(batch []entry) error {
	t, err := s.begins()
	if err == nil {
		err = s.fill(t, batch)
	}
	if err != nil {
		return s.failed(t, batch, err)
	}
	s.committer.state = t.state
	if t.begun {
		s.committer.acknowledged = t.state.Commits
	}
	removed, evictErr := s.evict(len(t.done), t.awaited) // first: a client that sees an end must not see more tasks than are kept
	s.mu.Lock()
	recovered := s.fault != nil
	s.fault = nil
	s.reserved, s.permits.commits = uint64(t.state.Seq), s.committer.acknowledged
	s.breaks = append(s.breaks, t.breaks...)
	t.open.Apply()
	for _, e := range batch {
		e.apply(s)
	}
	s.planned.Settle(schema.Now())
	s.give(t.permitted)
	s.wroteOutput(t.flushed)
	if evictErr == nil {
		s.evicted(removed)
	} else {
		s.countFinals()
	}
	if recovered {
		s.log.Info("the store can be written again", "file", s.path)
		s.claims.WakeAll()
	} else {
		s.claims.Wake(s.claims.Len() + s.planned.Len())
	}
	s.mu.Unlock()
	for _, e := range batch {
		e.done()
	}
	if evictErr != nil {
		return s.failed(removed, nil, evictErr)
	}
	return nil
}

// ready looks at the files, and makes a new connection where the old one is broken.
func (s *Store) ready() error {
	err := s.filesIntact()
	if err == nil && s.committer.broken {
		err = s.reconnect()
	}
	return err
}

// begins makes a transaction.
func (s *Store) begins() (*transaction, error) {
	c := &s.committer
	if err := s.ready(); err != nil {
		return nil, err
	}
	return &transaction{store: s, conn: c.conn, state: c.state, seq: s.feed.Seq(), open: s.open.Change(), fresh: map[uuid.UUID]*record{}, awaited: map[uuid.UUID]struct{}{}}, nil
}

// fill writes the entries and commits.
func (s *Store) fill(t *transaction, batch []entry) error {
	for _, e := range batch {
		if f, ok := e.(*finish); ok {
			f.lease.ends = t
		}
	}
	err, faulty := error(nil), s.faulty()
	if faulty { // test whether the file can be written
		_, err = t.writer()
	}
	for _, e := range batch {
		if err == nil {
			err = e.write(t)
		}
	}
	if err == nil && !faulty {
		err = t.writeDue()
	}
	if err == nil && !faulty {
		err = t.permit(batch)
	}
	if err == nil {
		err = t.commit()
	}
	return err
}

func (s *Store) faulty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault != nil
}

// failed undoes a transaction and all later entries in the log, because those
// were planned on top of it. Entries that can be tried again stay in the log.
func (s *Store) failed(t *transaction, batch []entry, err error) error {
	c := &s.committer
	if t != nil {
		t.rollback()
	}
	clear(c.typed)
	clear(c.ended)
	// A full disk is no reason to doubt the connection. Any other error is, and
	// then it is unknown whether the transaction was committed.
	doubt := !errors.Is(err, sqlite3.FULL) || c.conn == nil || !c.conn.GetAutocommit()
	uncertain := doubt && t != nil && t.begun && c.inDoubt == 0
	if uncertain {
		c.inDoubt = t.state.Commits
	}
	c.broken = c.broken || doubt
	s.mu.Lock()
	err = s.explain(err)
	if s.fault == nil && c.lost == nil {
		s.log.Error("the store cannot be written; it is tried again", "file", s.path, "error", err)
	}
	s.fault, s.tried = err, time.Now()
	behind, undone := s.entries, len(c.undo)
	s.entries = nil
	over := s.takeBack(batch, s.unavailable(err))
	if uncertain {
		undone = len(c.undo)
	}
	over = append(over, s.takeBack(behind, s.unavailable(err))...)
	c.undo = c.undo[:undone] // nothing of the later ones is in the file
	s.requeue()
	s.inFlight = false // now, so that later events keep their order after those just published
	s.mu.Unlock()
	for _, e := range over {
		e.done()
	}
	return err
}

// explain adds to an error that the disk is full, if it is.
func (s *Store) explain(err error) error {
	if free, e := disk.FreeBytes(filepath.Dir(s.path)); e == nil && free < file.LeastFree {
		return fmt.Errorf("the disk is full: %w", err)
	}
	return err
}

// finishUp ends the log of a closed store. It gives up entries that could not be
// written, and leaves a file that needs no recovery.
func (s *Store) finishUp() error {
	c := &s.committer
	s.mu.Lock()
	left, fault := s.entries, s.fault
	s.entries = nil
	lost := 0
	for _, e := range left {
		_ = e.fail(s, s.unavailable(fault))
		switch e := e.(type) {
		case *finish:
			e.err = s.unavailable(fault)
			lost++
		case *retrial:
			e.err = s.unavailable(fault)
			lost++
		}
	}
	s.mu.Unlock()
	for _, e := range left {
		e.done()
	}
	if fault != nil {
		return fmt.Errorf("%w; results not recorded: %d", s.unavailable(fault), lost)
	}
	c.filesCheckedAt = time.Time{} // force a check: no later one would find a missing file
	t, err := s.begins()
	if err == nil {
		_, err = t.writer()
	}
	if err == nil {
		err = t.withdrawPermits()
	}
	if err == nil {
		t.state.Seq = int64(t.seq)
		err = t.commit()
	}
	if err == nil && s.permits.begun != nil {
		err = s.permits.begun.Remove()
	}
	if err == nil {
		err = c.conn.RestartWALUnlessRead()
	}
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

package sqlite

import (
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// These say when output of a running task is written: when the oldest of it has
// this age. The oldest is written first. After this many bytes, the output of
// further tasks waits.
const (
	flushAfter = time.Second
	flushBytes = 1 << 20
)

// piece is a part of a stream that goes to the file.
type piece struct {
	record *record
	stream schema.Stream
	start  int64
	data   []byte
}

// rest is the part of a record's output that is not in the file yet, in pieces. It
// needs the lock.
func (r *record) rest(limit int) (found []piece) {
	if r.out.since.IsZero() {
		return nil
	}
	for i := range r.out.streams {
		ring := &r.out.streams[i]
		for at := max(r.out.written[i], ring.First()); at < ring.Total(); {
			end := min(at+executor.MaxOutputPiece, ring.Total())
			found = append(found, piece{r, schema.Stream(i), at, ring.Read(at, end, limit)})
			at = end
		}
	}
	return found
}

// flushIn is the time until output is due to be written. It needs the lock.
func (s *Store) flushIn(pause time.Duration) time.Duration {
	if len(s.dirty) == 0 {
		return pause
	}
	return min(pause, time.Until(s.dirty[0].out.since.Add(flushAfter)))
}

// writeDue writes the output of running tasks that is due, or all of it if the
// store closes. No answer waits for it.
func (t *transaction) writeDue() error {
	s := t.store
	var due [][]piece
	s.mu.Lock()
	closing, size := s.closed, 0
	for _, r := range s.dirty {
		if size >= flushBytes || !closing && time.Since(r.out.since) < flushAfter {
			break
		}
		if r.lease != nil && r.lease.finishing {
			continue // the end of the task writes it
		}
		pieces := r.rest(s.options.MaxOutput)
		due = append(due, pieces)
		for i := range pieces {
			size += len(pieces[i].data)
		}
	}
	s.mu.Unlock()
	for _, pieces := range due {
		if err := t.writePieces(pieces); err != nil {
			return err
		}
	}
	return nil
}

// writeRest writes what is left of the output of a task that ends.
func (t *transaction) writeRest(r *record) error {
	t.store.mu.Lock()
	pieces := r.rest(t.store.options.MaxOutput)
	t.store.mu.Unlock()
	return t.writePieces(pieces)
}

// writePieces writes output of one task. What a stream no longer keeps is removed.
func (t *transaction) writePieces(pieces []piece) error {
	if len(pieces) == 0 {
		return nil
	}
	c, err := t.writer()
	if err != nil {
		return err
	}
	r := pieces[0].record
	if r.out.afresh {
		if err := c.Run("DELETE FROM output WHERE ord=?", r.ord); err != nil {
			return err
		}
	}
	for i := range pieces {
		p := &pieces[i]
		stream := int64(p.stream)
		t.d = file.PieceDigest(t.d[:0], r.ord, stream, p.start, p.data)
		err := c.Run("INSERT OR REPLACE INTO output VALUES(?,?,?,?,?)", r.ord, stream, p.start, t.d.Sum(), p.data)
		if old := p.start + int64(len(p.data)) - int64(t.store.options.MaxOutput) - executor.MaxOutputPiece; err == nil && old > 0 {
			err = c.Run("DELETE FROM output WHERE ord=? AND stream=? AND start<?", r.ord, stream, old)
		}
		if err != nil {
			return err
		}
	}
	t.flushed = append(t.flushed, pieces...)
	return nil
}

// wroteOutput records which output is in the file now. It needs the lock.
func (s *Store) wroteOutput(pieces []piece) {
	for i := range pieces {
		p := &pieces[i]
		out := &p.record.out
		out.afresh, out.since = false, time.Time{}
		out.written[p.stream] = p.start + int64(len(p.data))
	}
	var again []*record
	s.dirty = slices.DeleteFunc(s.dirty, func(r *record) bool {
		if r.final == nil && r.out.since.IsZero() && r.hasUnsavedOutput() { // it was added during the write
			r.out.since = time.Now()
			again = append(again, r)
		}
		return r.final != nil || r.out.since.IsZero() || len(again) > 0 && again[len(again)-1] == r
	})
	s.dirty = append(s.dirty, again...)
}

// hasUnsavedOutput reports whether there is output that is not in the file; it needs
// the lock.
func (r *record) hasUnsavedOutput() bool {
	for i := range r.out.streams {
		if ring := &r.out.streams[i]; ring.Total() > max(r.out.written[i], ring.First()) {
			return true
		}
	}
	return false
}

// rewriteOutput marks all output in memory to be written again. It needs the
// lock.
func (s *Store) rewriteOutput() {
	for _, r := range s.live {
		if r.out.streams == nil {
			continue
		}
		r.out.written, r.out.afresh = [len(r.out.written)]int64{}, true
		if r.hasUnsavedOutput() {
			s.markDirty(r)
		}
	}
}

package sqlite

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// output is what a task has written.
type output struct {
	streams *kit.Streams // nil if nothing was ever written
	written [len(schema.StreamNames)]int64
	since   time.Time // when the oldest output that is not in the file was written; zero if all is there
	afresh  bool      // the output in the file must be replaced
}

func (o *output) bytes() *schema.OutputBytes {
	if o.streams == nil {
		return nil
	}
	return o.streams.Bytes()
}

func (o *output) kept() int64 {
	if o.streams == nil {
		return 0
	}
	return o.streams.Kept()
}

// wrote appends to a stream and answers the offset; it needs the lock.
func (s *Store) wrote(r *record, stream schema.Stream, p []byte) (offset int64) {
	if r.out.streams == nil {
		r.out.streams = new(kit.Streams)
	}
	ring := &r.out.streams[stream]
	offset = ring.Total()
	ring.Write(p, s.options.MaxOutput)
	s.markDirty(r)
	return offset
}

// markDirty notes that there is output that is not in the file; it needs the lock.
func (s *Store) markDirty(r *record) {
	if !r.out.since.IsZero() {
		return
	}
	r.out.since = time.Now()
	s.dirty = append(s.dirty, r)
	if len(s.dirty) == 1 {
		s.notify()
	}
}

// Output implements executor.Store.
func (s *Store) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (executor.OutputPiece, error) {
	if err := s.sweepExpired(ctx); err != nil {
		return executor.OutputPiece{}, err
	}
	s.mu.Lock()
	if r := s.live[id]; r != nil {
		defer s.mu.Unlock()
		return r.out.piece(stream, o, s.options.MaxOutput), nil
	}
	s.mu.Unlock()
	return s.readOutput(ctx, id, stream, o)
}

// piece reads a range of a stream.
func (out *output) piece(stream schema.Stream, o executor.OutputRange, limit int) (found executor.OutputPiece) {
	if out.streams != nil {
		found = out.streams[stream].Piece(o, limit)
	}
	return found
}

// readOutput reads the output of a task that has no record in memory from the file. It
// skips output that a crash has lost, so the piece may begin later than asked.
func (s *Store) readOutput(ctx context.Context, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (found executor.OutputPiece, err error) {
	err = s.readers.with(ctx, s, func(c *file.Conn) error {
		r, ord, err := s.storedWith(c, id)
		if err != nil {
			return err
		}
		if !r.State.Final() {
			found, err = s.waitingOutput(c, id, stream, o)
			return err
		}
		total := file.WrittenBytes(r.OutputBytes, stream)
		found, err = file.ReadOutput(c, ord, stream, o, total, int64(s.options.MaxOutput))
		found.Final = true
		return err
	})
	return found, err
}

// waitingOutput reads the output of a task that was not final just now.
func (s *Store) waitingOutput(c *file.Conn, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (found executor.OutputPiece, err error) {
	r, err := s.waitingWith(c, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if live := s.live[id]; live != nil {
		r = live
	}
	if r == nil {
		return found, err
	}
	return r.out.piece(stream, o, s.options.MaxOutput), nil
}

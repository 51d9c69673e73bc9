package sqlite

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// maxPiece is the most bytes of output in one event, and in one row.
const maxPiece = 32 << 10

// output is what a task has written.
type output struct {
	streams *executor.Streams // nil where nothing was ever written
	written [len(schema.StreamNames)]int64
	since   time.Time // when the oldest was written that is not in the file; zero where all is
	afresh  bool      // what the file has of it is to be replaced
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
		r.out.streams = new(executor.Streams)
	}
	ring := &r.out.streams[stream]
	offset = ring.Total()
	ring.Write(p, s.options.MaxOutput)
	s.soil(r)
	return offset
}

// soil notes that there is output that is not in the file; it needs the lock.
func (s *Store) soil(r *record) {
	if !r.out.since.IsZero() {
		return
	}
	r.out.since = time.Now()
	s.dirty = append(s.dirty, r)
	if len(s.dirty) == 1 {
		s.poke()
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
		piece := executor.OutputPiece{}
		if r.out.streams != nil {
			piece = r.out.streams[stream].Piece(o, s.options.MaxOutput)
		}
		return piece, nil
	}
	s.mu.Unlock()
	return s.readOutput(ctx, id, stream, o)
}

// stored is a row of the table output without its bytes.
type stored struct{ start, end int64 }

// readOutput reads the output of a final task from the file. What a crash has
// taken is passed over, so the piece begins later than asked.
func (s *Store) readOutput(ctx context.Context, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (found executor.OutputPiece, err error) {
	err = s.readers.with(ctx, s, func(c *conn) error {
		r, ord, err := s.finalWith(c, id)
		if err != nil {
			return err
		}
		total := writtenOf(r.OutputBytes, stream)
		rows, err := storedPieces(c, ord, stream)
		if err != nil {
			return err
		}
		found, err = readPieces(c, ord, stream, rows, o, total, int64(s.options.MaxOutput))
		found.Final = true
		return err
	})
	return found, err
}

// writtenOf is how much was written to a stream; nil is nothing.
func writtenOf(b *schema.OutputBytes, stream schema.Stream) int64 {
	if b == nil {
		return 0
	}
	return [...]int64{b.Stdout, b.Stderr, b.Log}[stream]
}

func storedPieces(c *conn, ord int64, stream schema.Stream) (rows []stored, err error) {
	err = c.query("SELECT start, start+length(data) FROM output WHERE ord=? AND stream=? ORDER BY start", func(row *sqlite3.Stmt) error {
		rows = append(rows, stored{row.ColumnInt64(0), row.ColumnInt64(1)})
		return nil
	}, ord, int64(stream))
	return rows, err
}

// readPieces reads a range of a stream of which the rows are in the file.
func readPieces(c *conn, ord int64, stream schema.Stream, rows []stored, o executor.OutputRange, total, keep int64) (executor.OutputPiece, error) {
	first, end := total, total
	if len(rows) > 0 {
		first, end = rows[0].start, min(rows[len(rows)-1].end, total)
	}
	first = max(first, total-keep)
	if o.Tail >= 0 {
		o.Offset, o.Tail = end-o.Tail, -1
	}
	found := o.Within(min(first, total), total)
	stop := found.Offset + min(o.Limit, total-found.Offset)
	for _, row := range rows {
		if row.end <= found.Offset+int64(len(found.Data)) || row.start >= stop {
			continue
		}
		data, err := readPiece(c, ord, stream, row.start)
		if err != nil {
			return found, err
		}
		at := found.Offset + int64(len(found.Data))
		if data == nil || row.start > at && len(found.Data) > 0 {
			if len(found.Data) > 0 {
				break // what follows is not next to it
			}
			continue
		}
		if row.start > at {
			found.Offset, at = row.start, row.start
			stop = max(stop, at)
		}
		found.Data = append(found.Data, data[at-row.start:min(row.end, stop)-row.start]...)
	}
	if len(found.Data) == 0 && found.Offset < stop { // nothing is left of what was asked for
		found.Offset = nextStored(rows, found.Offset, total)
	}
	return found, nil
}

// nextStored is where the stream goes on behind a hole.
func nextStored(rows []stored, offset, total int64) int64 {
	for _, row := range rows {
		if row.start > offset {
			return row.start
		}
	}
	return total
}

// readPiece is the bytes of a row, or nil where they are not what was written.
func readPiece(c *conn, ord int64, stream schema.Stream, start int64) (data []byte, err error) {
	err = c.query("SELECT sum, data FROM output WHERE ord=? AND stream=? AND start=?", func(row *sqlite3.Stmt) error {
		b := row.ColumnRawBlob(1)
		if pieceDigest(nil, ord, int64(stream), start, b).sum() == row.ColumnInt64(0) {
			data = append([]byte{}, b...)
		}
		return nil
	}, ord, int64(stream), start)
	return data, err
}

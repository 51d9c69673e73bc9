package sqlite

import (
	"context"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

const (
	// maxPiece is the most bytes of output in one event, and in one row.
	maxPiece = 32 << 10
	// maxTail is how much output of a task is written together with its end.
	// What is more is written without waiting for the disk.
	maxTail = 4 << 10
)

// output is what a task has written, as long as it is not all in the file.
type output struct {
	streams *executor.Streams // nil where nothing was ever written
	written [len(schema.StreamNames)]int64
	dirty   bool // there is more than written
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
	s.unwritten += int64(len(p))
	if !r.out.dirty {
		r.out.dirty = true
		s.dirty = append(s.dirty, r)
		if len(s.dirty) == 1 {
			s.dirtySince = clock()
			s.poke()
		}
	}
	if s.unwritten >= flushBytes {
		s.poke()
	}
	return offset
}

// Output implements executor.Store.
func (s *Store) Output(ctx context.Context, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (executor.OutputPiece, error) {
	if err := s.sweepExpired(ctx); err != nil {
		return executor.OutputPiece{}, err
	}
	s.mu.Lock()
	r := s.live[id]
	if r == nil {
		r = s.ended[id]
	}
	if r != nil {
		defer s.mu.Unlock()
		piece := executor.OutputPiece{}
		if r.out.streams != nil {
			piece = r.out.streams[stream].Piece(o, s.options.MaxOutput)
		}
		piece.Final = r.final != nil
		return piece, nil
	}
	s.mu.Unlock()
	return s.readOutput(ctx, id, stream, o)
}

// piece is a part of a stream that goes to the file.
type piece struct {
	record *record
	stream schema.Stream
	start  int64
	first  int64 // what is before it is not kept
	data   []byte
}

// pieces are the parts of a record's streams that are not in the file, at most
// about so many bytes; it needs the lock.
func (r *record) pieces(most int64, limit int) (found []piece, n int64) {
	for i := range r.out.streams {
		ring := &r.out.streams[i]
		at := max(r.out.written[i], ring.First())
		for at < ring.Total() && n < most {
			end := min(at+maxPiece, ring.Total())
			found = append(found, piece{r, schema.Stream(i), at, ring.First(), ring.Read(at, end, limit)})
			n += end - at
			at = end
		}
	}
	return found, n
}

// unwrittenBytes is how much of a record is not in the file; it needs the lock.
func (o *output) unwrittenBytes() (n int64) {
	for i := range o.streams {
		ring := &o.streams[i]
		n += ring.Total() - max(o.written[i], ring.First())
	}
	return n
}

// writeTail writes what is left of the output of a task that ends, where that
// is little.
func (t *transaction) writeTail(r *record) error {
	s := t.store
	s.mu.Lock()
	var found []piece
	if r.out.dirty && r.out.unwrittenBytes() <= maxTail {
		found, _ = r.pieces(maxTail, s.options.MaxOutput)
	}
	s.mu.Unlock()
	return t.writePieces(found)
}

// writePieces writes output. What a stream no longer keeps is removed.
func (t *transaction) writePieces(pieces []piece) error {
	for i := range pieces {
		p := &pieces[i]
		c, err := t.writer()
		if err != nil {
			return err
		}
		ord, stream := p.record.ord, int64(p.stream)
		t.d = pieceDigest(t.d[:0], ord, stream, p.start, p.data)
		err = c.exec("INSERT OR REPLACE INTO output VALUES(?,?,?,?,?)", ord, stream, p.start, t.d.sum(), p.data)
		if old := p.first - maxPiece; err == nil && old > 0 {
			err = c.exec("DELETE FROM output WHERE ord=? AND stream=? AND start<?", ord, stream, old)
		}
		if err != nil {
			return err
		}
	}
	t.flushed = append(t.flushed, pieces...)
	return nil
}

func pieceDigest(d digest, ord, stream, start int64, data []byte) digest {
	return d.number(ord).number(stream).number(start).bytes(data)
}

// wroteAll notes what of the output is in the file; it needs the lock.
func (s *Store) wroteAll(pieces []piece) {
	for i := range pieces {
		r := pieces[i].record
		r.out.written[pieces[i].stream] = pieces[i].start + int64(len(pieces[i].data))
	}
	rest := s.dirty[:0]
	s.unwritten = 0
	for _, r := range s.dirty {
		n := r.out.unwrittenBytes()
		if r.out.dirty = n > 0; r.out.dirty {
			rest = append(rest, r)
			s.unwritten += n
		} else if r.final != nil {
			delete(s.ended, r.ID)
		}
	}
	clear(s.dirty[len(rest):])
	s.dirty = rest
}

// rewriteOutput lets the output that is still in memory be written again; it
// needs the lock.
func (s *Store) rewriteOutput() {
	for _, records := range []map[uuid.UUID]*record{s.live, s.ended} {
		for _, r := range records {
			if r.out.streams == nil {
				continue
			}
			r.out.written = [len(r.out.written)]int64{}
			if !r.out.dirty {
				r.out.dirty = true
				s.dirty = append(s.dirty, r)
			}
		}
	}
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
		var total int64
		if b := r.OutputBytes; b != nil {
			total = [...]int64{b.Stdout, b.Stderr, b.Log}[stream]
		}
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
		if row.end <= found.Offset || row.start >= stop {
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

package memory

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// ring keeps the newest part of one stream, up to its limit.
type ring struct {
	buf   []byte // grows up to the limit, then byte n stands at n modulo the limit
	total int64  // all that was ever written
}

func (r *ring) first() int64 { return r.total - int64(len(r.buf)) }

func (r *ring) write(p []byte, limit int) {
	if room := limit - len(r.buf); room > 0 {
		n := min(room, len(p))
		r.buf = append(r.buf, p[:n]...)
		r.total += int64(n)
		p = p[n:]
	}
	for len(p) > 0 {
		n := copy(r.buf[r.total%int64(limit):], p)
		r.total += int64(n)
		p = p[n:]
	}
}

// read copies the bytes from offset to end, which are kept.
func (r *ring) read(offset, end int64, limit int) []byte {
	out := make([]byte, 0, end-offset)
	if len(r.buf) < limit {
		first := r.first()
		return append(out, r.buf[offset-first:end-first]...)
	}
	for offset < end {
		at := offset % int64(limit)
		n := min(end-offset, int64(limit)-at)
		out = append(out, r.buf[at:at+n]...)
		offset += n
	}
	return out
}

// outputs are the streams of one task.
type outputs [len(schema.StreamNames)]ring

func (o *outputs) kept() int64 {
	var n int64
	for i := range o {
		n += int64(len(o[i].buf))
	}
	return n
}

func (o *outputs) bytes() *schema.OutputBytes {
	return &schema.OutputBytes{
		Stdout: o[schema.Stdout].total, Stderr: o[schema.Stderr].total, Log: o[schema.Log].total,
	}
}

// Output implements executor.Store.
func (s *Store) Output(_ context.Context, id uuid.UUID, stream schema.Stream, r executor.OutputRange) (executor.OutputPiece, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.OutputPiece{}, executor.ErrClosed
	}
	rec, ok := s.records[id]
	if !ok {
		return executor.OutputPiece{}, executor.ErrNotFound
	}
	piece := executor.OutputPiece{Final: rec.State.Final()}
	if rec.out == nil {
		return piece, nil
	}
	ring := &rec.out[stream]
	piece.First, piece.Total = ring.first(), ring.total
	offset := r.Offset
	if r.Tail >= 0 {
		offset = ring.total - r.Tail
	}
	piece.Offset = min(max(offset, piece.First), piece.Total)
	end := piece.Offset + min(r.Limit, piece.Total-piece.Offset)
	piece.Data = ring.read(piece.Offset, end, s.options.MaxOutput)
	return piece, nil
}

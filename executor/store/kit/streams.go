package kit

import (
	"github.com/jobline/jobline/schema"

	"github.com/jobline/jobline/executor"
)

// Streams has the newest output of a task, by stream. The zero value is empty.
type Streams [len(schema.StreamNames)]Ring

// Bytes counts all bytes that were ever written.
func (s *Streams) Bytes() *schema.OutputBytes {
	return &schema.OutputBytes{
		Stdout: s[schema.Stdout].total, Stderr: s[schema.Stderr].total, Log: s[schema.Log].total,
	}
}

// Kept counts the bytes that are kept.
func (s *Streams) Kept() int64 {
	var n int64
	for i := range s {
		n += int64(len(s[i].buf))
	}
	return n
}

// Ring keeps the newest bytes of one stream. The limit must be the same in all calls.
type Ring struct {
	buf   []byte // grows up to the limit; then byte n is at n modulo the limit
	total int64  // all that was ever written
}

// Total is how many bytes were ever written.
func (r *Ring) Total() int64 { return r.total }

// First is the offset of the first byte that is kept.
func (r *Ring) First() int64 { return r.total - int64(len(r.buf)) }

// Restart empties the ring. The next byte that is written has this offset.
func (r *Ring) Restart(offset int64) { r.buf, r.total = nil, offset }

// Write appends bytes, and drops the oldest beyond the limit.
func (r *Ring) Write(p []byte, limit int) {
	if room := limit - len(r.buf); room > 0 {
		n := min(room, len(p))
		r.buf = append(r.buf, p[:n]...)
		r.total += int64(n)
		p = p[n:]
		r.align(limit)
	}
	for len(p) > 0 {
		n := copy(r.buf[r.total%int64(limit):], p)
		r.total += int64(n)
		p = p[n:]
	}
}

// align moves the bytes of a ring that has just become full to their places.
func (r *Ring) align(limit int) {
	shift := int(r.First() % int64(limit))
	if len(r.buf) < limit || shift == 0 {
		return
	}
	turned := make([]byte, limit)
	n := copy(turned[shift:], r.buf)
	copy(turned, r.buf[n:])
	r.buf = turned
}

// Read copies the bytes from offset to end. All of them must be kept.
func (r *Ring) Read(offset, end int64, limit int) []byte {
	out := make([]byte, 0, end-offset)
	if len(r.buf) < limit {
		first := r.First()
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

// Piece reads a range.
func (r *Ring) Piece(o executor.OutputRange, limit int) executor.OutputPiece {
	piece := Locate(o, r.First(), r.total)
	piece.Data = r.Read(piece.Offset, piece.Offset+min(o.Limit, r.total-piece.Offset), limit)
	return piece
}

// Locate answers the piece of a range, without its bytes, in a stream that is kept from first to total.
func Locate(o executor.OutputRange, first, total int64) executor.OutputPiece {
	offset := o.Offset
	if o.Tail >= 0 {
		offset = total - o.Tail
	}
	return executor.OutputPiece{Offset: min(max(offset, first), total), First: first, Total: total}
}

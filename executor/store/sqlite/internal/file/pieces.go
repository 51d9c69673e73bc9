package file

import (
	"errors"
	"math"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// The table output has the primary key in the same tree as the data. So SQLite reads
// a whole row, with its data, to compare its key. These queries therefore look at as
// few rows as they can: a list of all rows of a stream would read all of its output.
const (
	// SelectPieces answers the row that begins at ?3 or is the last before it, and the
	// rows behind that which begin before ?4.
	SelectPieces = "SELECT start, sum, data FROM output WHERE ord=?1 AND stream=?2 AND start<?4" +
		" AND start>=ifnull((SELECT max(start) FROM output WHERE ord=?1 AND stream=?2 AND start<=?3), ?3) ORDER BY start"
	// SelectNextPiece answers where the first row begins that begins behind ?3; ?4 where
	// there is none.
	SelectNextPiece = "SELECT ifnull(min(start), ?4) FROM output WHERE ord=?1 AND stream=?2 AND start>?3"
	// SelectLastPiece answers where the last row ends; ?3 where there is none.
	SelectLastPiece = "SELECT ifnull((SELECT start+length(data) FROM output WHERE ord=?1 AND stream=?2 ORDER BY start DESC LIMIT 1), ?3)"
)

// Piece is a row of the table output.
type Piece struct {
	Start, End int64
	Data       []byte // nil if the row is damaged
}

// WrittenBytes is how much was written to a stream; nil is nothing.
func WrittenBytes(b *schema.OutputBytes, stream schema.Stream) int64 {
	if b == nil {
		return 0
	}
	return [...]int64{b.Stdout, b.Stderr, b.Log}[stream]
}

// FirstStored is the offset of the first byte of a stream that is in the file, or
// total where none is.
func FirstStored(c *Conn, ord int64, stream schema.Stream, total int64) (int64, error) {
	return nextStored(c, ord, stream, -1, total)
}

// EndStored is the offset behind the last byte of a stream that is in the file, or
// total where none is.
func EndStored(c *Conn, ord int64, stream schema.Stream, total int64) (int64, error) {
	return c.Number(SelectLastPiece, ord, int64(stream), total)
}

// nextStored is where a stream of total bytes continues in the file behind an offset.
func nextStored(c *Conn, ord int64, stream schema.Stream, offset, total int64) (int64, error) {
	return c.Number(SelectNextPiece, ord, int64(stream), offset, total)
}

// EachPiece calls f with each row of a stream, in the order of the stream. The data
// belongs to SQLite, and is valid until f returns.
func EachPiece(c *Conn, ord int64, stream schema.Stream, f func(Piece) error) error {
	return eachPiece(c, ord, stream, 0, math.MaxInt64, f)
}

// eachPiece is EachPiece for the rows that begin before an offset, from the one on
// that has the byte at another.
func eachPiece(c *Conn, ord int64, stream schema.Stream, from, before int64, f func(Piece) error) error {
	return c.Query(SelectPieces, func(row *sqlite3.Stmt) error {
		start, data := row.ColumnInt64(0), row.ColumnRawBlob(2)
		p := Piece{start, start + int64(len(data)), data}
		c.digest = PieceDigest(c.digest[:0], ord, int64(stream), start, data)
		if c.digest.Sum() != row.ColumnInt64(1) {
			p.Data = nil
		}
		return f(p)
	}, ord, int64(stream), from, before)
}

// EachPieceOf calls f with each row of a task, by streams, and in the order of each. The data belongs to SQLite, and is
// valid until f returns.
func EachPieceOf(c *Conn, ord int64, f func(schema.Stream, Piece) error) error {
	return c.Query("SELECT stream, start, sum, data FROM output WHERE ord=? ORDER BY stream, start", func(row *sqlite3.Stmt) error {
		stream, start, data := row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnRawBlob(3)
		if stream < 0 || stream >= int64(len(schema.StreamNames)) {
			return nil // check tells it
		}
		p := Piece{start, start + int64(len(data)), data}
		if PieceDigest(nil, ord, stream, start, data).Sum() != row.ColumnInt64(2) {
			p.Data = nil
		}
		return f(schema.Stream(stream), p)
	}, ord)
}

// ReadOutput reads a range of a stream of total bytes, of which the last are kept, as
// far as they are in the file. Where the range begins with bytes that are lost or
// damaged, what is read begins behind them, and it ends before the next such bytes.
func ReadOutput(c *Conn, ord int64, stream schema.Stream, o executor.OutputRange, total, kept int64) (executor.OutputPiece, error) {
	first, err := FirstStored(c, ord, stream, total)
	if err != nil {
		return executor.OutputPiece{}, err
	}
	if o.Tail >= 0 {
		end, err := EndStored(c, ord, stream, total)
		if err != nil {
			return executor.OutputPiece{}, err
		}
		o.Offset, o.Tail = min(end, total)-o.Tail, -1
	}
	found := kit.Locate(o, min(max(first, total-kept), total), total)
	stop := found.Offset + min(o.Limit, total-found.Offset)
	err = eachPiece(c, ord, stream, found.Offset, stop, func(p Piece) error { return joinPiece(&found, p, stop) })
	switch {
	case errors.Is(err, errDisjoint):
		return found, nil
	case err == nil && len(found.Data) == 0 && found.Offset < stop: // nothing is left of what was asked for
		found.Offset, err = nextStored(c, ord, stream, found.Offset, total)
	}
	return found, err
}

// errDisjoint ends the reading of a range at bytes that are missing.
var errDisjoint = errors.New("the next piece is not next to what was read")

// joinPiece appends what a row has of a range that ends at stop.
func joinPiece(found *executor.OutputPiece, p Piece, stop int64) error {
	at := found.Offset + int64(len(found.Data))
	switch missing := p.Data == nil || p.Start > at; {
	case p.End <= at:
		return nil
	case missing && len(found.Data) > 0:
		return errDisjoint
	case p.Data == nil:
		return nil
	}
	if p.Start > at {
		found.Offset, at = p.Start, p.Start
	}
	if found.Data == nil {
		found.Data = slices.Grow(found.Data, int(stop-at))
	}
	found.Data = append(found.Data, p.Data[at-p.Start:min(p.End, stop)-p.Start]...)
	return nil
}

// PieceDigest is the digest of a row of the table output; d is a buffer, or nil.
func PieceDigest(d Digest, ord, stream, start int64, data []byte) Digest {
	return d.number(ord).number(stream).number(start).bytes(data)
}

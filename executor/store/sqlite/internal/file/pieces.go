package file

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// StoredPiece is a row of the table output without its bytes.
type StoredPiece struct{ Start, End int64 }

// WrittenBytes is how much was written to a stream; nil is nothing.
func WrittenBytes(b *schema.OutputBytes, stream schema.Stream) int64 {
	if b == nil {
		return 0
	}
	return [...]int64{b.Stdout, b.Stderr, b.Log}[stream]
}

// StoredPieces are the rows of a stream of a task, in the order of the stream.
func StoredPieces(c *Conn, ord int64, stream schema.Stream) (rows []StoredPiece, err error) {
	err = c.Query("SELECT start, start+length(data) FROM output WHERE ord=? AND stream=? ORDER BY start", func(row *sqlite3.Stmt) error {
		rows = append(rows, StoredPiece{row.ColumnInt64(0), row.ColumnInt64(1)})
		return nil
	}, ord, int64(stream))
	return rows, err
}

// ReadPieces reads a range of a stream of which the rows are in the file.
func ReadPieces(c *Conn, ord int64, stream schema.Stream, rows []StoredPiece, o executor.OutputRange, total, keep int64) (executor.OutputPiece, error) {
	first, end := total, total
	if len(rows) > 0 {
		first, end = rows[0].Start, min(rows[len(rows)-1].End, total)
	}
	first = max(first, total-keep)
	if o.Tail >= 0 {
		o.Offset, o.Tail = end-o.Tail, -1
	}
	found := kit.Locate(o, min(first, total), total)
	stop := found.Offset + min(o.Limit, total-found.Offset)
	for _, row := range rows {
		if row.End <= found.Offset+int64(len(found.Data)) || row.Start >= stop {
			continue
		}
		data, err := ReadPiece(c, ord, stream, row.Start)
		if err != nil {
			return found, err
		}
		at := found.Offset + int64(len(found.Data))
		if data == nil || row.Start > at && len(found.Data) > 0 {
			if len(found.Data) > 0 {
				break // what follows is not next to it
			}
			continue
		}
		if row.Start > at {
			found.Offset, at = row.Start, row.Start
			stop = max(stop, at)
		}
		found.Data = append(found.Data, data[at-row.Start:min(row.End, stop)-row.Start]...)
	}
	if len(found.Data) == 0 && found.Offset < stop { // nothing is left of what was asked for
		found.Offset = nextStored(rows, found.Offset, total)
	}
	return found, nil
}

// nextStored is the offset at which the stream continues after a gap.
func nextStored(rows []StoredPiece, offset, total int64) int64 {
	for _, row := range rows {
		if row.Start > offset {
			return row.Start
		}
	}
	return total
}

// ReadPiece reads the bytes of a row. They are nil if the row is damaged.
func ReadPiece(c *Conn, ord int64, stream schema.Stream, start int64) (data []byte, err error) {
	err = c.Query("SELECT sum, data FROM output WHERE ord=? AND stream=? AND start=?", func(row *sqlite3.Stmt) error {
		b := row.ColumnRawBlob(1)
		if PieceDigest(nil, ord, int64(stream), start, b).Sum() == row.ColumnInt64(0) {
			data = append([]byte{}, b...)
		}
		return nil
	}, ord, int64(stream), start)
	return data, err
}

// PieceDigest is the digest of a row of the table output; d is a buffer, or nil.
func PieceDigest(d Digest, ord, stream, start int64, data []byte) Digest {
	return d.number(ord).number(stream).number(start).bytes(data)
}

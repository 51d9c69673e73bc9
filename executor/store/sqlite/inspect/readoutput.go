package inspect

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// outputStep is how many bytes of output are read at a time.
const outputStep = 1 << 20

// OutputLoss says how many bytes of a stream are not there: those before what is
// kept, and those that a crash has taken or that are damaged.
type OutputLoss struct{ Before, Within int64 }

// ReadOutput writes to a writer what is kept of a stream of a task in a store, held
// or not, as of one moment: all of it, or its last tail bytes where tail is not
// negative. Of a task that runs it is what had reached the file. It changes no file.
// For an id that is not there the error wraps executor.ErrNotFound.
func ReadOutput(ctx context.Context, path string, id uuid.UUID, stream schema.Stream, tail int64, to io.Writer) (loss OutputLoss, err error) {
	in, err := openInspection(ctx, path)
	if err != nil {
		return loss, file.ExplainCorruption(path, err, file.AdviceInspect)
	}
	if err = in.snapshot(); err == nil {
		loss, err = in.copyOutput(id, stream, tail, to)
	}
	return loss, in.end(err, fmt.Sprintf("read the output of %s in %s", id, path), file.AdviceInspect)
}

func (in *inspection) copyOutput(id uuid.UUID, stream schema.Stream, tail int64, to io.Writer) (loss OutputLoss, err error) {
	t, ord, err := in.taskWith(id)
	if err != nil {
		return loss, err
	}
	rows, total, err := in.outputOf(ord, t, stream)
	if err != nil {
		return loss, err
	}
	at := total
	if len(rows) > 0 {
		at = min(rows[0].Start, total)
	}
	loss.Before = at
	if tail >= 0 {
		at = max(at, total-tail)
	}
	for at < total {
		piece, err := file.ReadPieces(in.conn, ord, stream, rows, executor.OutputRange{Offset: at, Tail: -1, Limit: outputStep}, total, total)
		if err != nil {
			return loss, err
		}
		if _, err := to.Write(piece.Data); err != nil {
			return loss, err
		}
		loss.Within += piece.Offset - at
		at = piece.Offset + int64(len(piece.Data))
	}
	return loss, nil
}

// taskWith is the task that has an id.
func (in *inspection) taskWith(id uuid.UUID) (found *schema.Task, ord int64, err error) {
	err = executor.ErrNotFound
	k := &checker{inspection: in, report: func(f Finding) { err = fmt.Errorf("%w: %v", executor.ErrDamaged, f) }}
	read := in.conn.Query(selectAll+" WHERE id=?", func(row *sqlite3.Stmt) error {
		if t, ok := k.exported(row); ok {
			found, ord, err = t, row.ColumnInt64(0), nil
		}
		return nil
	}, id[:])
	if read != nil {
		err = read
	}
	return found, ord, err
}

// outputOf is what is in the file of a stream, and how long it is.
func (in *inspection) outputOf(ord int64, t *schema.Task, stream schema.Stream) (rows []file.StoredPiece, total int64, err error) {
	if rows, err = file.StoredPieces(in.conn, ord, stream); err != nil {
		return nil, 0, err
	}
	total = file.WrittenBytes(t.OutputBytes, stream)
	if !t.State.Final() && len(rows) > 0 {
		total = rows[len(rows)-1].End
	}
	return rows, total, nil
}

// lastWhole is what is kept of a stream behind the last hole in it.
func lastWhole(c *file.Conn, ord int64, stream schema.Stream, rows []file.StoredPiece, total int64) (whole executor.OutputPiece, err error) {
	whole = executor.OutputPiece{Total: total}
	if len(rows) > 0 {
		whole.First = min(rows[0].Start, total)
		whole.Offset = whole.First
	}
	for at := whole.First; at < total; {
		piece, err := file.ReadPieces(c, ord, stream, rows, executor.OutputRange{Offset: at, Tail: -1, Limit: outputStep}, total, total)
		if err != nil {
			return whole, err
		}
		if len(piece.Data) == 0 { // nothing follows
			break
		}
		if piece.Offset > at {
			whole.Data, whole.Offset = nil, piece.Offset
		}
		whole.Data = append(whole.Data, piece.Data...)
		at = piece.Offset + int64(len(piece.Data))
	}
	return whole, nil
}

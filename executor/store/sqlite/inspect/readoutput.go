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

// OutputLoss is how many bytes of a stream are missing. Before counts those before
// the kept part. Within counts those that a crash has lost or that are damaged.
type OutputLoss struct{ Before, Within int64 }

// ReadOutput writes the kept part of a stream of a task to a writer, as of one moment.
// The store may be held or not. ReadOutput writes all of the kept part, or its last tail
// bytes if tail is not negative. For a running task, it writes the output that has
// reached the file. It changes no file. For an unknown id, the error wraps
// executor.ErrNotFound.
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
	at, total, err := in.outputOf(ord, t, stream)
	if err != nil {
		return loss, err
	}
	loss.Before = at
	if tail >= 0 {
		at = max(at, total-tail)
	}
	for at < total {
		piece, err := file.ReadOutput(in.conn, ord, stream, executor.OutputRange{Offset: at, Tail: -1, Limit: outputStep}, total, total)
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

// outputOf is the offset of the first byte of a stream in the file, and the length of
// the stream.
func (in *inspection) outputOf(ord int64, t *schema.Task, stream schema.Stream) (first, total int64, err error) {
	total = file.WrittenBytes(t.OutputBytes, stream)
	if !t.State.Final() {
		if total, err = file.EndStored(in.conn, ord, stream, total); err != nil {
			return 0, 0, err
		}
	}
	first, err = file.FirstStored(in.conn, ord, stream, total)
	return min(first, total), total, err
}

// lastWhole is the kept part of a stream after its last gap. The stream has bytes in the
// file from first on, and total bytes in all.
func lastWhole(c *file.Conn, ord int64, stream schema.Stream, first, total int64) (whole executor.OutputPiece, err error) {
	whole = executor.OutputPiece{Offset: first, First: first, Total: total}
	for at := first; at < total; {
		piece, err := file.ReadOutput(c, ord, stream, executor.OutputRange{Offset: at, Tail: -1, Limit: outputStep}, total, total)
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

package nats

import (
	"errors"

	"github.com/google/uuid"
)

// The first entry of a namespace that a copy fills is a mark, and its snapshot is taken at that entry. A process
// that reaches the mark by reading the log has found no such snapshot: the copy was not finished.

// copyFormat is the first byte of a mark. No message has this value as its format.
const copyFormat = 0xc0

// copyMark makes the mark of a copy.
func copyMark(id uuid.UUID) []byte { return append([]byte{copyFormat}, id[:]...) }

// isCopyMark reports whether an entry is the mark of a copy. Only an executor may write one.
func (e *entry) isCopyMark() bool {
	return e.role == RoleExecutor && isCopyMark(e.piece)
}

func isCopyMark(piece []byte) bool {
	return len(piece) == 1+len(uuid.UUID{}) && piece[0] == copyFormat
}

// errCopyUnfinished says that a copy into the namespace was begun and not committed.
var errCopyUnfinished = errors.New("a copy into the namespace was begun and not finished, so it has no queue yet; do it again with jobline store copy FROM URL, which begins anew, or name another namespace")

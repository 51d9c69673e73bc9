package nats

import (
	"errors"

	"github.com/google/uuid"
)

// A namespace that is filled by a copy has a snapshot behind its first entry. That entry is a mark of the
// copy. Who comes to it by reading the log has no such snapshot: the copy did not end.

// copyFormat is the first byte of a mark of a copy. It is the version of no message.
const copyFormat = 0xc0

// copyMark is the mark of a copy.
func copyMark(id uuid.UUID) []byte { return append([]byte{copyFormat}, id[:]...) }

// isCopyMark reports whether an entry is the mark of a copy. Only an executor may write one.
func (e *entry) isCopyMark() bool {
	return e.role == RoleExecutor && isCopyMark(e.piece)
}

func isCopyMark(piece []byte) bool {
	return len(piece) == 1+len(uuid.UUID{}) && piece[0] == copyFormat
}

// errCopyUnfinished says that a namespace has the beginning of a copy.
var errCopyUnfinished = errors.New("a copy into the namespace was begun and did not end, so it has no queue yet; do it again with jobline store copy FROM URL, which begins anew, or name another namespace")

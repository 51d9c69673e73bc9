package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// TaskID is the id of the task for a due time. It is the same at each try, so that a repeated submit does not
// make a second task. A schedule gets a new generation whenever it is changed.
func TaskID(name string, generation uuid.UUID, due schema.Time) uuid.UUID {
	sum := digest("task", name, generation, due)
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 8<<4    // version 8 of RFC 9562: custom bits
	id[8] = id[8]&0x3f | 0b10<<6 // its variant
	return id
}

// Jitter is how long after a due time its task may run: at least 0 and less than most, in whole milliseconds.
// It is the same at each try.
func Jitter(name string, generation uuid.UUID, due schema.Time, most time.Duration) time.Duration {
	if most < time.Millisecond {
		return 0
	}
	sum := digest("jitter", name, generation, due)
	return time.Duration(binary.BigEndian.Uint64(sum[:])%uint64(most.Milliseconds())) * time.Millisecond
}

func digest(what, name string, generation uuid.UUID, due schema.Time) [sha256.Size]byte {
	b := append([]byte(what), 0)
	b = append(b, generation[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(due))
	return sha256.Sum256(append(b, name...))
}

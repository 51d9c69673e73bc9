package executor

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// ids makes the ids of tasks whose submit has none: UUIDs of version 7, each
// greater than the one before. They are no secrets, so their random bits come
// from the generator of math/rand/v2, which takes no lock and no system call.
// The zero value is ready.
type ids struct {
	latest atomic.Int64 // what stands before the random bits: milliseconds and 12 bits more
}

// next makes an id of about the given time.
func (i *ids) next(now schema.Time) (id uuid.UUID) {
	const bits, perMilli = 12, 1000
	at := int64(now)/perMilli<<bits | int64(now)%perMilli<<bits/perMilli
	for {
		latest := i.latest.Load()
		at = max(at, latest+1)
		if i.latest.CompareAndSwap(latest, at) {
			break
		}
	}
	binary.BigEndian.PutUint64(id[:8], uint64(at)>>bits<<16|uint64(at)&(1<<bits-1))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	id[6] |= 7 << 4              // the version
	id[8] = id[8]&0x3f | 0b10<<6 // the variant of RFC 9562
	return id
}

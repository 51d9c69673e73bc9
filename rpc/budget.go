package rpc

import (
	"sync/atomic"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

const (
	// maxPending bounds what a connection's unanswered requests keep in memory,
	// in bytes: their ids, the replies that their batches have gathered, the
	// events that these hold back, the ends that waits have seen, and the barriers
	// that the pump has not reached. It is room for the results of one wait at
	// their limit, and for as many requests as have no ids of megabytes.
	maxPending = maxWaitResults + 16<<20
	// pendingBytes is what an unanswered request takes beyond its id and its tasks.
	pendingBytes = 512
	// barrierBytes is what a barrier takes, with its function.
	barrierBytes = 512
	// memberBytes is what a request of a batch takes, at least, until the batch is answered, beyond its id: an
	// error, or the end of a task in brief.
	memberBytes = 1024
	// maxShutdowns bounds the unanswered shutdown requests of a connection.
	maxShutdowns = 64
	// maxShutdownID bounds the id of a shutdown that is admitted though there is
	// no room for other requests: a client can always end the server.
	maxShutdownID = 64 << 10
)

// budget counts the bytes of a connection's unanswered requests. It is safe for concurrent use.
type budget struct{ used atomic.Int64 }

// reserve counts n more bytes. It reports false, and counts nothing, if that would exceed maxPending.
func (b *budget) reserve(n int64) bool {
	if b.used.Add(n) <= maxPending {
		return true
	}
	b.used.Add(-n)
	return false
}

// charge counts n more bytes without a limit: they have another limit, or cannot be refused.
func (b *budget) charge(n int64) { b.used.Add(n) }

// release takes n bytes back.
func (b *budget) release(n int64) { b.used.Add(-n) }

// available is how many bytes are left.
func (b *budget) available() int64 { return max(maxPending-b.used.Load(), 0) }

// admit counts a request that is answered later, with its batch, which waits for it. It answers how many bytes
// to release after the answer, or why there is no room.
func (s *session) admit(to responder) (cost int64, err *wire.Error) {
	cost = int64(len(to.id)) + pendingBytes
	if !s.budget.reserve(cost) {
		return 0, s.overBudget(cost)
	}
	if to.batch == nil {
		return cost, nil
	}
	if need := to.batch.reserveBudget(); need > 0 {
		s.budget.release(cost)
		return 0, s.overBudget(cost + need)
	}
	return cost, nil
}

func (s *session) overBudget(need int64) *wire.Error {
	e := wire.NewError(schema.CodeQueueFull,
		"what is not answered yet on this connection holds %d bytes, with %d more the limit of %d is passed; let some be answered, end waits with $/cancelRequest, and keep ids short",
		s.budget.used.Load(), need, int64(maxPending))
	e.Data.Limit = maxPending
	return e
}

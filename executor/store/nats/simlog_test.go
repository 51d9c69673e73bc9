package nats

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jobline/jobline/schema"
)

// simLog is a log whose network loses, delays, repeats and reorders what goes to it and comes from
// it. All it promises is that each of its entries stays in its place.
type simLog struct {
	mu        sync.Mutex
	random    *rand.Rand
	entries   []entry // all that there ever were
	first     uint64  // the sequence of the first that was not removed
	snapshots []*simSnapshot
	grown     chan struct{} // closed when there is another entry
	calm      bool          // nothing goes wrong any more
}

func newSimLog(seed uint64) *simLog {
	return &simLog{random: rand.New(rand.NewPCG(seed, 1)), first: 1, grown: make(chan struct{})}
}

func (l *simLog) intN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

// begin is the first entry that is there, from a sequence on.
func (l *simLog) begin(from uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(from, l.first)
}

// oneIn is true once in n times, while things go wrong.
func (l *simLog) oneIn(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.calm && l.random.IntN(n) == 0
}

// delay is how long something is on its way, most likely not long.
func (l *simLog) delay() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := 5 * time.Millisecond
	switch n := l.random.IntN(300); {
	case l.calm:
	case n < 2:
		most = 3 * simLease
	case n < 15:
		most = simLease / 2
	}
	return time.Duration(l.random.Int64N(int64(most)))
}

func (l *simLog) append(piece []byte, r Role) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry{uint64(len(l.entries) + 1), schema.Now(), r, piece})
	close(l.grown)
	l.grown = make(chan struct{})
}

// at is the entry with a sequence, or nil and what is closed when there are more.
func (l *simLog) at(sequence uint64) (*entry, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sequence == 0 || sequence > uint64(len(l.entries)) {
		return nil, l.grown
	}
	return &l.entries[sequence-1], nil
}

func (l *simLog) length() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.entries))
}

var errSimulated = errors.New("it is simulated that this went wrong")

// simJournal is the log for one process.
type simJournal struct {
	*simLog
	cut  *simCut
	role Role // of the process
}

// simCut is whether the network of a process is cut.
type simCut struct {
	mu    sync.Mutex
	is    bool
	mends chan struct{}
}

func (c *simCut) set(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is = is
	if !is && c.mends != nil {
		close(c.mends)
		c.mends = nil
	}
}

func (c *simCut) now() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}

func (j *simJournal) close() {}

// write loses a piece, or lets it arrive some time later, once or twice. Its answer says nothing of
// what became of it.
func (j *simJournal) write(piece []byte) error {
	if j.cut.now() {
		return errSimulated
	}
	copies := 1
	switch {
	case j.oneIn(12):
		copies = 0
	case j.oneIn(12):
		copies = 2
	}
	for range copies {
		go func() {
			time.Sleep(j.delay())
			j.append(piece, j.role)
		}()
	}
	if j.oneIn(15) {
		return errSimulated
	}
	return nil
}

func (j *simJournal) read(ctx context.Context, from uint64) (entries, error) {
	time.Sleep(j.delay())
	switch {
	case j.cut.now(), j.oneIn(5), ctx.Err() != nil:
		return nil, errSimulated
	case from > 1 && j.length() < from:
		return nil, errLogBehind
	}
	return &simEntries{j, j.begin(from)}, nil
}

// simEntries brings entries.
type simEntries struct {
	*simJournal
	next1 uint64
}

func (e *simEntries) stop() {}

// next brings the entry that is next, or one before it, or behind it, or an error.
func (e *simEntries) next(ctx context.Context) (entry, error) {
	which := e.next1
	switch {
	case e.oneIn(60):
		return entry{}, errSimulated
	case e.oneIn(40) && which > 1:
		which--
	case e.oneIn(60) && which > 1:
		which++
	}
	which = e.begin(which)
	found, grown := e.at(which)
	for found == nil {
		select {
		case <-grown:
		case <-time.After(time.Second): // nothing is heard, as where the network is cut
			if e.cut.now() || e.oneIn(10) {
				return entry{}, errSimulated
			}
		case <-ctx.Done():
			return entry{}, ctx.Err()
		}
		found, grown = e.at(which)
	}
	time.Sleep(e.delay() / 4)
	if e.cut.now() {
		return entry{}, errSimulated
	}
	e.next1 = max(e.next1, which+1)
	return *found, nil
}

package nats

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jobline/jobline/schema"
)

// simLog is a log whose network loses, delays, repeats and reorders what goes to it and comes from
// it. All it promises is that each of its entries stays in its place.
type simLog struct {
	seed      uint64
	mu        sync.Mutex
	entries   []entry // all that there ever were
	first     uint64  // the sequence of the first that was not removed
	snapshots []*simSnapshot
	grown     chan struct{} // closed when there is another entry
	calm      bool          // nothing goes wrong any more
}

func newSimLog(seed uint64) *simLog {
	return &simLog{seed: seed, first: 1, grown: make(chan struct{})}
}

// simChance decides what goes wrong on one way of one process. Each way has its own: with one for all, a seed would
// say nothing of what happens, because goroutines would share its numbers as they come.
type simChance struct {
	log    *simLog
	mu     sync.Mutex
	random *rand.Rand
}

// chance is that of the way with a number.
func (l *simLog) chance(way uint64) *simChance {
	return &simChance{log: l, random: rand.New(rand.NewPCG(l.seed, way))}
}

func (c *simChance) intN(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

// oneIn is true once in n times, while things go wrong.
func (c *simChance) oneIn(n int) bool { return c.intN(n) == 0 && !c.log.isCalm() }

// delay is how long something is on its way, most likely not long.
func (c *simChance) delay() time.Duration {
	most := 5 * time.Millisecond
	switch n := c.intN(300); {
	case c.log.isCalm():
	case n < 2:
		most = 3 * simLease
	case n < 15:
		most = simLease / 2
	}
	return time.Duration(c.intN(int(most)))
}

func (l *simLog) isCalm() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calm
}

// begin is the first entry that is there, from a sequence on.
func (l *simLog) begin(from uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(from, l.first)
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
	cut           *simCut
	role          Role // of the process
	writes, reads *simChance
}

// of is the journal and the shelf of a process with a number.
func (l *simLog) of(number uint64, cut *simCut, r Role) (*simJournal, *simShelf) {
	way := number * 16
	return &simJournal{l, cut, r, l.chance(way + 1), l.chance(way + 2)}, &simShelf{l, cut, l.chance(way + 3), nil}
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

// write loses a piece, or lets it arrive some time later, once or twice, and sometimes one that came long ago comes
// again. Its answer says nothing of what became of it.
func (j *simJournal) write(piece []byte) error {
	if j.cut.now() {
		return errSimulated
	}
	copies := 1
	switch {
	case j.writes.oneIn(12):
		copies = 0
	case j.writes.oneIn(12):
		copies = 2
	}
	all := slices.Repeat([][]byte{piece}, copies)
	if j.writes.oneIn(8) {
		all = append(all, j.old(j.writes.intN(1<<20)))
	}
	for _, piece := range all {
		if late := j.writes.delay(); piece != nil {
			go func() {
				time.Sleep(late)
				j.append(piece, j.role)
			}()
		}
	}
	if j.writes.oneIn(15) {
		return errSimulated
	}
	return nil
}

// old is a piece that is in the log, most likely the first one of a process, or nil.
func (j *simJournal) old(which int) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all [][]byte
	for _, e := range j.entries {
		if h, _, _ := headOf(e.piece); h.number == 1 || which%4 == 0 {
			all = append(all, e.piece)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[which%len(all)]
}

func (j *simJournal) read(ctx context.Context, from uint64) (entries, error) {
	time.Sleep(j.reads.delay())
	switch {
	case j.cut.now(), j.reads.oneIn(5), ctx.Err() != nil:
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
	case e.reads.oneIn(60):
		return entry{}, errSimulated
	case e.reads.oneIn(40) && which > 1:
		which--
	case e.reads.oneIn(60) && which > 1:
		which++
	}
	which = e.begin(which)
	found, grown := e.at(which)
	for found == nil {
		select {
		case <-grown:
		case <-time.After(time.Second): // nothing is heard, as where the network is cut
			if e.cut.now() || e.reads.oneIn(10) {
				return entry{}, errSimulated
			}
		case <-ctx.Done():
			return entry{}, ctx.Err()
		}
		found, grown = e.at(which)
	}
	time.Sleep(e.reads.delay() / 4)
	if e.cut.now() {
		return entry{}, errSimulated
	}
	e.next1 = max(e.next1, which+1)
	return *found, nil
}

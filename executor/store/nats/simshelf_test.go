package nats

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
)

// simSnapshot is a snapshot, or what was stored of one.
type simSnapshot struct {
	storedSnapshot
	pieces  [][]byte
	whole   bool
	removed bool
}

// simShelf is where a process has the snapshots of a log. What is asked of it is done or not, whatever
// its answer is.
type simShelf struct {
	*simLog
	cut  *simCut
	asks *simChance
	// purges is called with what is to be removed; it may be nil.
	purges func(before uint64)
}

// ask is the way of a question. It may be lost.
func (h *simShelf) ask(ctx context.Context) error {
	time.Sleep(h.asks.delay())
	if h.cut.now() || h.asks.oneIn(12) || ctx.Err() != nil {
		return errSimulated
	}
	return nil
}

// answered is the way of an answer.
func (h *simShelf) answered() error {
	if h.asks.oneIn(12) {
		return errSimulated
	}
	return nil
}

func (h *simShelf) extent(ctx context.Context) (extent, error) {
	if err := h.ask(ctx); err != nil {
		return extent{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := extent{first: h.first, last: uint64(len(h.entries)), at: time.Now()}
	for _, e := range h.entries[h.first-1:] {
		now.bytes += int64(len(e.piece))
	}
	return now, nil
}

func (h *simShelf) list(ctx context.Context) (whole []storedSnapshot, others []leftover, err error) {
	if err := h.ask(ctx); err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.snapshots {
		switch {
		case one.removed:
		case !one.whole || one.Entry < h.first:
			others = append(others, leftover{one.subject, uint64(len(one.pieces))})
		default:
			whole = append(whole, one.storedSnapshot)
		}
	}
	slices.SortFunc(whole, newestFirst)
	return whole, others, nil
}

// put stores one piece after another. Its process may die between two of them.
func (h *simShelf) put(ctx context.Context, k storedSnapshot, pieces [][]byte) (storedSnapshot, error) {
	h.mu.Lock()
	k.subject = fmt.Sprintf("jls.sim.%d.%d", k.Entry, len(h.snapshots))
	one := &simSnapshot{storedSnapshot: k}
	h.snapshots = append(h.snapshots, one)
	h.mu.Unlock()
	for _, piece := range pieces {
		if err := h.ask(ctx); err != nil {
			return storedSnapshot{}, err
		}
		h.mu.Lock()
		one.pieces = append(one.pieces, piece)
		h.mu.Unlock()
	}
	if err := h.ask(ctx); err != nil {
		return storedSnapshot{}, err
	}
	h.mu.Lock()
	one.whole, one.stored = !one.removed, time.Now()
	h.mu.Unlock()
	return k, h.answered()
}

// open reads a snapshot, of which a bit may be another, or the end be missing.
func (h *simShelf) open(ctx context.Context, k storedSnapshot) (*bufio.Reader, func(), error) {
	if err := h.ask(ctx); err != nil {
		return nil, nil, err
	}
	var all []byte
	h.mu.Lock()
	for _, one := range h.snapshots {
		if one.subject == k.subject && !one.removed {
			all = slices.Concat(one.pieces...)
		}
	}
	h.mu.Unlock()
	switch {
	case len(all) == 0:
	case h.asks.oneIn(6):
		all = all[:h.asks.intN(len(all))]
	case h.asks.oneIn(6):
		all[h.asks.intN(len(all))] ^= 1 << h.asks.intN(8)
	}
	return bufio.NewReader(bytes.NewReader(all)), func() {}, nil
}

func (h *simShelf) remove(ctx context.Context, subject string) error {
	if err := h.ask(ctx); err != nil {
		return err
	}
	h.mu.Lock()
	for _, one := range h.snapshots {
		one.removed = one.removed || one.subject == subject
	}
	h.mu.Unlock()
	return h.answered()
}

// purge removes entries, some time later.
func (h *simShelf) purge(ctx context.Context, before uint64) error {
	if h.purges != nil {
		h.purges(before)
	}
	if err := h.ask(ctx); err != nil {
		return err
	}
	go func() {
		time.Sleep(h.asks.delay())
		h.mu.Lock()
		defer h.mu.Unlock()
		h.first = max(h.first, before)
	}()
	return h.answered()
}

// checkPurge checks that nobody needs the entries before one who lives, as the process knows that removes them.
func (s *simulation) checkPurge(by *Store, before uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.stores {
		if one == nil {
			continue
		}
		one.mu.Lock()
		self := one.self
		one.mu.Unlock()
		by.machine.mu.RLock()
		if _, lives := by.machine.peers[self]; lives {
			assert.GreaterOrEqual(s, one.applied.Load()+1, before, "the log loses what a process needs that lives")
		}
		by.machine.mu.RUnlock()
	}
}

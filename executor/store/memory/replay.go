package memory

import (
	"context"
	"slices"
	"sort"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// ends are the final tasks in the order in which they ended: that of the
// numbers of their ends.
type ends struct {
	entries []*entry // the first of them are gone
	gone    int
}

func (e *ends) len() int { return len(e.entries) - e.gone }

// push adds an end. One whose clock ran ahead is no younger than those that came
// after it.
func (e *ends) push(last *entry) {
	l := last.Value.life
	l.ended = l.finished
	for i := len(e.entries) - 1; i >= e.gone && e.entries[i].Value.life.ended > l.ended; i-- {
		e.entries[i].Value.life.ended = l.ended
	}
	e.entries = append(e.entries, last)
}

func (e *ends) oldest() *entry { return e.entries[e.gone] }

// pop takes the oldest out. Now and then the others move up: each of them, in
// the long run, at most once for each that is taken out.
func (e *ends) pop() *entry {
	oldest := e.entries[e.gone]
	e.entries[e.gone] = nil
	if e.gone++; e.gone <= len(e.entries)/2 {
		return oldest
	}
	kept := e.entries[:copy(e.entries, e.entries[e.gone:])]
	clear(e.entries[len(kept):])
	if cap(kept) > 4*len(kept) { // most are gone for good
		kept = slices.Clone(kept)
	}
	e.entries, e.gone = kept, 0
	return oldest
}

// after answers those with a greater number.
func (e *ends) after(seq uint64) []*entry {
	kept := e.entries[e.gone:]
	return kept[sort.Search(len(kept), func(i int) bool { return kept[i].Value.life.seq > seq }):]
}

// Replay implements executor.Store.
func (s *Store) Replay(_ context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	s.sweep(schema.Now())
	if after < s.gone {
		return nil, &executor.EventsGoneError{After: after, Oldest: s.gone}
	}
	var events []executor.Event
	for e := s.running.First(); e != nil; e = e.Next() {
		if l := e.Value.life; l.seq > after && l.seq <= through {
			events = append(events, kit.StartOf(l.seq, l.lease.record, l.lease.live()))
		}
	}
	for i, e := range s.finished.after(after) {
		seq := e.Value.life.seq
		if seq > through || i == limit {
			break
		}
		task := e.Value.task()
		events = append(events, kit.EndOf(seq, &task))
	}
	return kit.ReplayPage(events, limit), nil
}

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
	records []*record // the first of them are gone
	gone    int
}

func (e *ends) len() int { return len(e.records) - e.gone }

// push adds an end. One whose clock ran ahead is no younger than those that came
// after it.
func (e *ends) push(r *record) {
	r.ended = r.FinishedAt
	for i := len(e.records) - 1; i >= e.gone && e.records[i].ended > r.ended; i-- {
		e.records[i].ended = r.ended
	}
	e.records = append(e.records, r)
}

func (e *ends) oldest() *record { return e.records[e.gone] }

// pop takes the oldest out. Now and then the others move up: each of them, in
// the long run, at most once for each that is taken out.
func (e *ends) pop() *record {
	r := e.records[e.gone]
	e.records[e.gone] = nil
	if e.gone++; e.gone <= len(e.records)/2 {
		return r
	}
	kept := e.records[:copy(e.records, e.records[e.gone:])]
	clear(e.records[len(kept):])
	if cap(kept) > 4*len(kept) { // most are gone for good
		kept = slices.Clone(kept)
	}
	e.records, e.gone = kept, 0
	return r
}

// after answers those with a greater number.
func (e *ends) after(seq uint64) []*record {
	kept := e.records[e.gone:]
	return kept[sort.Search(len(kept), func(i int) bool { return kept[i].seq > seq }):]
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
		if r := e.Value; r.seq > after && r.seq <= through {
			events = append(events, kit.StartOf(r.seq, &r.Record, r.lease.live()))
		}
	}
	for i, r := range s.finished.after(after) {
		if r.seq > through || i == limit {
			break
		}
		events = append(events, kit.EndOf(r.seq, &r.Task))
	}
	return kit.ReplayPage(events, limit), nil
}

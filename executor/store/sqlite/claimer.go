package sqlite

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// Bounds of what is not recorded in the file yet. No further task is handed out
// while this many starts and ends, or this many bytes of ends, are not recorded.
const (
	maxAhead      = 4096
	maxAheadBytes = 64 << 20
)

// claimer implements executor.Claimer.
type claimer struct {
	store  *Store
	member *kit.Member
}

// Join implements executor.Store.
func (s *Store) Join(_ context.Context, o executor.Offer) (executor.Claimer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return &claimer{s, s.claims.Join(o)}, nil
}

// Claim implements executor.Claimer. If ctx ends while a start is being written, the
// task returns to the queue once the start is on disk. If the process dies between
// the two, the next process treats the task as interrupted.
func (c *claimer) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	ended.Finish()
	s := c.store
	for {
		var e *start
		err := s.claims.Claim(ctx, c.member, &s.mu, func() (bool, error) {
			if s.closed {
				return false, executor.ErrClosed
			}
			if s.fault != nil || s.ahead >= maxAhead || s.held >= maxAheadBytes {
				return false, nil
			}
			taken := s.next(c.member, schema.Now())
			if s.claims.low() {
				s.notify()
			}
			if taken == nil {
				return false, nil
			}
			e = s.begin(c.member, taken)
			return true, nil
		})
		if err != nil {
			return nil, err
		}
		if e.ready == nil {
			return e.lease, nil
		}
		select {
		case err = <-e.ready:
		case <-ctx.Done():
			if s.leave(e) {
				return nil, context.Cause(ctx)
			}
			err = <-e.ready // it came at the same time
		}
		if err == nil {
			return e.lease, nil
		}
	}
}

// Unclaimable implements executor.Claimer.
func (c *claimer) Unclaimable(_ context.Context, until schema.Time) (int64, error) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if c.store.closed {
		return 0, executor.ErrClosed
	}
	s := c.store
	if s.planned.Paused() {
		return s.counts.Queued, nil
	}
	more := s.claims.backlog.Count(c.member.Has) > 0
	return int64(s.claims.Unclaimable(c.member) + s.planned.Unclaimable(c.member, until, func(id uuid.UUID) bool {
		if r := s.live[id]; r != nil {
			return r.State == schema.Queued && !c.member.Has(r.Type)
		}
		return !more // it is in the backlog, where all tasks are of other types
	})), nil
}

// Leave implements executor.Claimer.
func (c *claimer) Leave() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.claims.Leave(c.member)
}

package memory

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// claimer implements executor.Claimer.
type claimer struct {
	store  *Store
	member *kit.Member
	as     *schema.RunsOn // the process of the claimer, or nil in a store of one process
}

// Join implements executor.Store.
func (s *Store) Join(_ context.Context, o executor.Offer) (executor.Claimer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return &claimer{store: s, member: s.claims.Join(o)}, nil
}

// Claim implements executor.Claimer.
func (c *claimer) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	if ended.Lease != nil {
		if l := c.finishAndTake(ctx, ended); l != nil {
			return l, nil
		}
	}
	var taken *lease
	err := c.store.claims.Claim(ctx, c.member, &c.store.mu, func() (bool, error) {
		if c.store.closed {
			return false, executor.ErrClosed
		}
		taken = c.take(c.store.now())
		return taken != nil, nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// finishAndTake ends the task of a lease, or queues it again, and takes the next task if there is one. It takes
// the lock once and reads the clock once.
func (c *claimer) finishAndTake(ctx context.Context, ended executor.Ended) (next *lease) {
	s := c.store
	l := ended.Lease.(*lease)
	s.mu.Lock()
	now := s.now()
	var err error
	if ended.Next != nil {
		err = l.retry(ended.Next, now)
	} else {
		err = l.finish(ended.Outcome, now)
	}
	l.release(now)
	if ctx.Err() == nil && !s.closed {
		next = c.take(now)
	}
	s.mu.Unlock()
	ended.Recorded(err)
	return next
}

// take gives the claimer the best task that may run, or nil. The caller holds mu.
func (c *claimer) take(now schema.Time) *lease {
	s := c.store
	e := s.takeNext(c.member, now)
	if e == nil {
		return nil
	}
	r := &e.Value
	r.state = schema.Running
	s.trees.Move(r.conditions(), r.id, schema.Running)
	r.attempt++
	record := r.claimed(max(now, r.created))
	l := &lease{claimer: c, as: c.as, entry: e, record: record}
	l.extra, l.lease, l.link = r.extra(), l, r.link()
	r.life = &l.life
	s.running.Push(e)
	s.counts.Queued--
	s.counts.Running++
	return l
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
	return int64(s.claims.Unclaimable(c.member) + s.planned.Unclaimable(c.member, until, func(id uuid.UUID) bool {
		e := s.records.get(id)
		return e != nil && e.Value.state == schema.Queued && !c.member.Has(e.Value.terms.typ)
	})), nil
}

// Leave implements executor.Claimer.
func (c *claimer) Leave() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.claims.Leave(c.member)
}

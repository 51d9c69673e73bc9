package nats

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// claimer implements executor.Claimer. It stands for a claimer in the copy.
type claimer struct {
	store *Store
	about join
	inner executor.Claimer // the claimer of the copy; the store's mu protects it
}

// Join implements executor.Store.
func (s *Store) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	s.mu.Lock()
	s.lastClaimer++
	c := &claimer{store: s, about: joinOf(s.lastClaimer, o)}
	s.mu.Unlock()
	a, err := s.do(ctx, change{Join: &c.about})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimers[c.about.Number], c.inner = c, a.claimer
	return c, nil
}

// rejoinChange makes the change with which the claimer joins again after rejoin.
func (c *claimer) rejoinChange() *pending {
	return &pending{change: change{Join: &c.about}, done: func(a answer) {
		if a.err == nil {
			c.store.mu.Lock()
			c.inner = a.claimer
			c.store.mu.Unlock()
		}
	}}
}

// Leave implements executor.Claimer.
func (c *claimer) Leave() {
	s := c.store
	s.mu.Lock()
	delete(s.claimers, c.about.Number)
	s.mu.Unlock()
	_ = s.put(&pending{change: change{Quit: c.about.Number}}) // a store that is closed has no claimers
}

// Unclaimable implements executor.Claimer.
func (c *claimer) Unclaimable(ctx context.Context, until schema.Time) (int64, error) {
	if err := c.store.waitForOwnWrites(ctx); err != nil {
		return 0, err
	}
	c.store.mu.Lock()
	inner := c.inner
	c.store.mu.Unlock()
	return inner.Unclaimable(ctx, until)
}

// Claim implements executor.Claimer.
func (c *claimer) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	var before []*pending
	if ended.Lease != nil {
		before = ended.Lease.(*lease).endChanges(ended)
	}
	if ctx.Err() != nil {
		return nil, c.endOnly(ctx, before, ended)
	}
	asked := &claimRequest{claimer: c, answered: make(chan struct{})}
	if err := c.store.put(append(before, asked.pending(false))...); err != nil {
		return nil, c.failAll(before, err)
	}
	select {
	case <-asked.answered:
		if asked.err != nil {
			return nil, asked.err
		}
		return asked.lease, nil
	case <-c.store.stopped:
		return nil, executor.ErrClosed
	case <-ctx.Done():
		asked.abandon()
		return nil, context.Cause(ctx)
	}
}

// endOnly records the end of a task, for a claim whose context has ended before it was sent.
func (c *claimer) endOnly(ctx context.Context, before []*pending, _ executor.Ended) error {
	if err := c.store.put(before...); err != nil {
		_ = c.failAll(before, err)
	}
	return context.Cause(ctx)
}

// failAll tells the callers of changes that could not be queued.
func (c *claimer) failAll(before []*pending, err error) error {
	for _, p := range before {
		p.resolve(answer{err: err})
	}
	return err
}

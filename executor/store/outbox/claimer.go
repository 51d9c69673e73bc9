package outbox

import (
	"context"
	"sync"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Join implements executor.Store. The claimer joins the namespace when that is reached.
func (s *Store) Join(ctx context.Context, o executor.Offer) (executor.Claimer, error) {
	c := &claimer{store: s, offer: o}
	if s.namespace.Load() == nil {
		return c, nil
	}
	_, err := c.join(ctx)
	return c, err
}

// claimer is a claimer of the namespace, once it has joined.
type claimer struct {
	store *Store
	offer executor.Offer

	mu     sync.Mutex // held while it joins
	joined executor.Claimer
}

// join answers the claimer of the namespace, which must have been reached.
func (c *claimer) join(ctx context.Context) (executor.Claimer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined != nil {
		return c.joined, nil
	}
	in, err := c.store.behind()
	if err != nil {
		return nil, err
	}
	c.joined, err = in.Join(ctx, c.offer)
	return c.joined, err
}

// Claim implements executor.Claimer.
func (c *claimer) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	select {
	case <-c.store.reached:
	case <-ctx.Done():
		ended.Finish()
		return nil, context.Cause(ctx)
	}
	joined, err := c.join(ctx)
	if err != nil {
		ended.Finish()
		return nil, err
	}
	return joined.Claim(ctx, ended)
}

// Unclaimable implements executor.Claimer.
func (c *claimer) Unclaimable(ctx context.Context, until schema.Time) (int64, error) {
	joined, err := c.join(ctx)
	if err != nil {
		return 0, err
	}
	return joined.Unclaimable(ctx, until)
}

// Leave implements executor.Claimer.
func (c *claimer) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined != nil {
		c.joined.Leave()
	}
}

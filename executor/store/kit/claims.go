package kit

import (
	"context"
	"slices"
	"sync"

	"github.com/jobline/jobline/executor"
)

// Claims is the queue of a store with those who wait for it, and the part of
// Store.Claim that is the same in every store. All but Claim needs the store's
// lock. The zero value is ready.
type Claims[T any] struct {
	Queue[T]
	held   map[string]int // leases not yet released of types with a limit
	limits executor.TypeLimits
	idle   []chan struct{} // claimers that wait; each channel has room for one
}

// Claim waits until try, which is called with the lock held, answers true or
// an error.
func (c *Claims[T]) Claim(ctx context.Context, lock sync.Locker, try func() (bool, error)) error {
	for {
		lock.Lock()
		if ctx.Err() != nil {
			c.Wake(1) // it may have been woken for a task, which another must take now
			lock.Unlock()
			return context.Cause(ctx)
		}
		if done, err := try(); done || err != nil {
			lock.Unlock()
			return err
		}
		free := make(chan struct{}, 1)
		c.idle = append(c.idle, free)
		lock.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			lock.Lock()
			c.leave(free)
			lock.Unlock()
			return context.Cause(ctx)
		}
	}
}

// leave gives up waiting, and hands on a wake that came at the same time.
func (c *Claims[T]) leave(free chan struct{}) {
	i := slices.Index(c.idle, free)
	if i < 0 {
		c.Wake(1)
		return
	}
	c.idle = slices.Delete(c.idle, i, i+1)
}

// Wake lets up to n waiting claimers look again.
func (c *Claims[T]) Wake(n int) {
	for ; n > 0 && len(c.idle) > 0; n-- {
		last := len(c.idle) - 1
		c.idle[last] <- struct{}{}
		c.idle = c.idle[:last]
	}
}

// WakeAll lets all waiting claimers look again.
func (c *Claims[T]) WakeAll() { c.Wake(len(c.idle)) }

// Take takes out the best entry whose type is not at its limit, or answers
// nil. Its type is held until Release.
func (c *Claims[T]) Take(limits executor.TypeLimits, typeOf func(T) string) *Entry[T] {
	if len(limits) > 0 && len(c.limits) == 0 {
		c.separate(limits, typeOf)
	}
	e := c.Next(func(typ string) bool { return c.held[typ] >= limits[typ] })
	if e == nil {
		return nil
	}
	c.Remove(e)
	if typ := typeOf(e.Value); limits[typ] > 0 {
		c.held[typ]++
	}
	return e
}

// separate gives the types with a limit their own places in the queue. A
// process has one set of types, so the first claim says it for all.
func (c *Claims[T]) separate(limits executor.TypeLimits, typeOf func(T) string) {
	c.limits, c.held = limits, map[string]int{}
	for typ := range limits {
		c.Separate(typ, func(v T) bool { return typeOf(v) == typ })
	}
}

// Limited reports whether the type has a limit, so that what was taken of it
// must be released.
func (c *Claims[T]) Limited(typ string) bool { return c.limits[typ] > 0 }

// Release says that an entry of a type with a limit is no longer held.
func (c *Claims[T]) Release(typ string) {
	if c.limits[typ] > 0 {
		c.held[typ]--
		c.Wake(1)
	}
}

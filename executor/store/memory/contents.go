package memory

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/transfer"
)

// Contents is what the replica has, for a copy into another store. It fails while a task runs. Nothing may
// change the replica while the result is in use.
func (r *Replica) Contents() (transfer.Source, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running.Len() > 0 {
		return nil, errors.New("tasks are running")
	}
	a := &transfer.About{
		At: r.replica.at, Order: r.claims.Last(), Seq: r.feed.Seq(), Gone: r.lastForgotten, Paused: r.planned.Paused(), Schedules: r.Store.schedules.All(),
	}
	for _, g := range r.planned.Overview().Groups {
		if g.Settings != (plan.Settings{}) {
			a.Groups = append(a.Groups, transfer.Group{Name: g.Name, Settings: g.Settings, Starts: r.planned.Starts(g.Name)})
		}
	}
	o := &r.options
	a.Limits = transfer.Limits{
		Keep: o.Keep, KeepFor: o.KeepFor, KeepBytes: o.KeepBytes, KeepIDs: o.KeepIDs, MaxQueued: o.MaxQueued, MaxOutput: o.MaxOutput, Resources: o.Resources,
	}
	return &contents{r, a}, nil
}

// contents is the content of a replica as a transfer.Source.
type contents struct {
	replica *Replica
	about   *transfer.About
}

// About implements transfer.Source.
func (c *contents) About() *transfer.About { return c.about }

// Forgotten implements transfer.Source. It calls f for each id that is still remembered.
func (c *contents) Forgotten(ctx context.Context, f func(uuid.UUID) error) error {
	k, first := &c.replica.known, c.replica.Store.finals.first
	oldest := k.young.base
	if k.old.count > 0 {
		oldest = k.old.base
	}
	if first > k.limit {
		oldest = max(oldest, first-k.limit)
	}
	for n := oldest; n < first; n++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := f(k.idOf(n)); err != nil {
			return err
		}
	}
	return nil
}

// Finals implements transfer.Source.
func (c *contents) Finals(ctx context.Context, f func(*transfer.Task) error) error {
	all := &c.replica.Store.finals
	for n := all.first; n < all.next; n++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		_, packed := all.at(n)
		t := c.task(place{number: n}, packed.order)
		t.Seq = packed.seq
		if err := f(t); err != nil {
			return err
		}
	}
	return nil
}

// Waiting implements transfer.Source.
func (c *contents) Waiting(ctx context.Context, f func(*transfer.Task) error) (err error) {
	c.replica.timeline.upward(0, func(order uint64, p place) bool {
		if p.entry == nil {
			return true
		}
		if err = context.Cause(ctx); err == nil {
			err = f(c.task(p, order))
		}
		return err == nil
	})
	return err
}

func (c *contents) task(p place, order uint64) *transfer.Task {
	t := &transfer.Task{Record: c.replica.record(p), Order: order}
	if !t.State.Final() {
		t.Progress = nil // of an earlier attempt
	}
	if x := c.replica.extra(p); x != nil && x.out != nil {
		for i := range x.out {
			ring := &x.out[i]
			t.Output[i] = ring.Read(ring.First(), ring.Total(), c.replica.options.MaxOutput)
		}
	}
	return t
}

package kit

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/jobline/jobline/executor"
)

// Claims is the queue of a store with the claimers that wait for it: what Store.Join and Claimer do alike in
// every store. The store's lock protects it: the caller of all methods but Claim holds it. The zero value is
// ready.
type Claims[T any] struct {
	Queue[T]
	members []*Member
	woken   uint64 // see Woken
}

// Member is one claimer that has joined. It takes entries of its types, within its limits.
type Member struct {
	types  map[string]bool // nil is every type
	labels map[string]string
	known  string // the latest of its types that was looked up: the next is often the same
	limits executor.TypeLimits
	held   map[string]int  // entries taken, and not released, of types with a limit
	idle   []chan struct{} // of waiting calls of Claim; each channel has a buffer of one
}

// Join adds a member with what it offers to take.
func (c *Claims[T]) Join(o executor.Offer) *Member {
	m := &Member{labels: o.Labels, limits: o.Limits, held: map[string]int{}}
	if o.Types != nil {
		m.types = map[string]bool{}
		for _, typ := range o.Types {
			m.types[typ] = true
		}
	}
	c.members = append(c.members, m)
	return m
}

// Offer is the offer with which the member joined, with its types sorted.
func (m *Member) Offer() executor.Offer {
	o := executor.Offer{Labels: m.labels, Limits: m.limits}
	if m.types != nil {
		o.Types = slices.AppendSeq([]string{}, maps.Keys(m.types))
		slices.Sort(o.Types)
	}
	return o
}

// Wake lets up to n waiting calls of Claim of each member try again.
func (c *Claims[T]) Wake(n int) {
	c.woken += uint64(max(n, 0))
	for _, m := range c.members {
		m.wake(n)
	}
}

// WakeAll lets all waiting calls of Claim try again.
func (c *Claims[T]) WakeAll() {
	c.woken += math.MaxInt32
	for _, m := range c.members {
		m.wake(len(m.idle))
	}
}

// Claim calls try with lock held until it answers true or an error, and waits to be woken between the tries.
// When ctx ends it answers the cause. The caller does not hold the lock.
func (c *Claims[T]) Claim(ctx context.Context, m *Member, lock sync.Locker, try func() (bool, error)) error {
	for {
		lock.Lock()
		if ctx.Err() != nil {
			m.wake(1) // it may have been woken for a task that another call must take now
			lock.Unlock()
			return context.Cause(ctx)
		}
		if done, err := try(); done || err != nil {
			lock.Unlock()
			return err
		}
		free := m.Await()
		lock.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			lock.Lock()
			m.GiveUp(free)
			lock.Unlock()
			return context.Cause(ctx)
		}
	}
}

// Await begins to wait for an entry, as Claim does. The channel gets one value when there may be an entry.
// GiveUp ends the wait.
func (m *Member) Await() chan struct{} {
	free := make(chan struct{}, 1)
	m.idle = append(m.idle, free)
	return free
}

// GiveUp ends a wait of Await. If the member was woken at the same time, it wakes another call instead.
func (m *Member) GiveUp(free chan struct{}) {
	i := slices.Index(m.idle, free)
	if i < 0 {
		m.wake(1)
		return
	}
	m.idle = slices.Delete(m.idle, i, i+1)
}

func (m *Member) wake(n int) {
	for ; n > 0 && len(m.idle) > 0; n-- {
		last := len(m.idle) - 1
		m.idle[last] <- struct{}{}
		m.idle = m.idle[:last]
	}
}

// Take takes out the best entry that the member may take, or answers nil. The entry counts towards the member's
// limit until Release.
func (c *Claims[T]) Take(m *Member) *Entry[T] {
	e := c.Next(m.takes)
	if e != nil {
		m.Hold(e.list.lane.typ)
		c.Remove(e)
	}
	return e
}

// Hold counts an entry towards the member's limit of its type. Take does so itself.
func (m *Member) Hold(typ string) {
	if m.Limited(typ) {
		m.held[typ]++
	}
}

func (m *Member) has(typ string) bool {
	if m.types == nil || typ == m.known && typ != "" {
		return true
	}
	if !m.types[typ] {
		return false
	}
	m.known = typ
	return true
}

func (m *Member) takes(typ string) bool {
	return m.has(typ) && (!m.Limited(typ) || m.held[typ] < m.limits[typ])
}

// Woken counts the entries that may have become ready so far. It may count some more than once.
func (c *Claims[T]) Woken() uint64 { return c.woken }

// Idle is how many calls of Claim are waiting.
func (c *Claims[T]) Idle() (n int) {
	for _, m := range c.members {
		n += len(m.idle)
	}
	return n
}

// Soon are the n entries that are likely to be taken next, the best first. Of a type that every member limits,
// there are at most as many as the limits allow.
func (c *Claims[T]) Soon(n int) []*Entry[T] {
	var soon []*Entry[T]
	for _, l := range c.busy {
		soon = l.appendFirst(soon, min(n, c.Allowance(l.typ, n)))
	}
	slices.SortFunc(soon, func(a, b *Entry[T]) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return soon[:min(n, len(soon))]
}

// ReadyAfter reports whether any member may take an entry once m has released one of that type. m must hold
// one.
func (c *Claims[T]) ReadyAfter(m *Member, released string) bool {
	for _, l := range c.busy {
		for _, o := range c.members {
			if o.takes(l.typ) || o == m && l.typ == released && m.held[l.typ] == m.limits[l.typ] {
				return true
			}
		}
	}
	return false
}

// Claimable reports whether a member takes entries of a type.
func (c *Claims[T]) Claimable(typ string) bool { return c.Allowance(typ, 1) > 0 }

// Allowance is how many entries of a type the members can hold at once, at most most.
func (c *Claims[T]) Allowance(typ string, most int) (n int) {
	for _, m := range c.members {
		switch {
		case !m.has(typ):
		case m.Limited(typ):
			n = min(n+m.limits[typ], most)
		default:
			return most
		}
	}
	return n
}

// Unclaimable counts the queued entries whose types the member does not take.
func (c *Claims[T]) Unclaimable(m *Member) int {
	return c.Count(func(typ string) bool { return !m.has(typ) })
}

// Limited reports whether the member limits the type, so that Release must be called for what it took.
func (m *Member) Limited(typ string) bool { return len(m.limits) > 0 && m.limits[typ] > 0 }

// Release says that the member no longer holds an entry of a type. It wakes a call of Claim if that frees a
// place.
func (c *Claims[T]) Release(m *Member, typ string) {
	if m.Limited(typ) {
		m.held[typ]--
		c.woken++
		m.wake(1)
	}
}

// Leave ends the membership. The member keeps what it holds.
func (c *Claims[T]) Leave(m *Member) {
	c.members = slices.DeleteFunc(c.members, func(o *Member) bool { return o == m })
}

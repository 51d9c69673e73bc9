package kit

import "github.com/jobline/jobline/executor/plan"

// Peek is the entry that Take would take out, or nil.
func (c *Claims[T]) Peek(m *Member) *Entry[T] { return c.Next(m.takes) }

// Takes reports whether the member takes entries of a type now.
func (m *Member) Takes(typ string) bool { return m.takes(typ) }

// Taker is the member for the planner, with its limits as they are used now.
func (m *Member) Taker() plan.Taker { return plan.Taker{Types: m.takes, Labels: m.labels} }

// anyTime is the member for the planner, as if it held nothing.
func (m *Member) anyTime() plan.Taker { return plan.Taker{Types: m.has, Labels: m.labels} }

// Has reports whether a type is one of the member's.
func (m *Member) Has(typ string) bool { return m.has(typ) }

// SetOrder sets the order number of an entry that was never queued, before Return puts it into the queue.
func (e *Entry[T]) SetOrder(n uint64) { e.order = n }

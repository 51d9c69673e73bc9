package kit

import "github.com/jobline/jobline/schema"

// Shown makes the tasks that the events of a record point to, for stores to
// build on. They are not the record's own, so that an event that nobody reads
// does not keep the record with its input and output in memory. The zero value
// is ready; the store's lock protects it.
type Shown struct{ live *schema.Task }

// Live is the task for any event but its end: what never changes of it.
func (s *Shown) Live(t *schema.Task) *schema.Task {
	if s.live == nil {
		s.live = &schema.Task{ID: t.ID, Type: t.Type, Priority: t.Priority, Labels: t.Labels, CreatedAt: t.CreatedAt}
	}
	return s.live
}

// ShownEnd is the final task for the event of its end. It is not the one of the
// events before it, which must not keep its result.
func ShownEnd(t *schema.Task) *schema.Task {
	shown := *t
	shown.Input = nil
	return &shown
}

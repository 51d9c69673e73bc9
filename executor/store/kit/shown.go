package kit

import "github.com/jobline/jobline/schema"

// Shown makes the copies of a task that its events point to. With copies, an event
// that waits for a slow reader does not keep the record, with its input and output,
// in memory. The zero value is ready. The store's lock protects it.
type Shown struct{ live *schema.Task }

// Live is the copy for all events before the end. It has only what never changes.
func (s *Shown) Live(t *schema.Task) *schema.Task {
	if s.live == nil {
		s.live = &schema.Task{ID: t.ID, Type: t.Type, Priority: t.Priority, Labels: t.Labels, CreatedAt: t.CreatedAt}
	}
	return s.live
}

// ShownEnd is the copy for the event of the end: the final task without its input.
func ShownEnd(t *schema.Task) *schema.Task {
	shown := *t
	shown.Input = nil
	return &shown
}

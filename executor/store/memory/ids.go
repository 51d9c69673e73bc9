package memory

import "github.com/google/uuid"

// ids are those of tasks that are no longer kept: at most limit of them, and at
// least the newest half of that. They are in two generations, of which the older
// is dropped as a whole, so that none needs a place in an order.
type ids struct {
	limit      int
	young, old map[uuid.UUID]struct{}
}

func (s *ids) has(id uuid.UUID) bool {
	_, young := s.young[id]
	_, old := s.old[id]
	return young || old
}

func (s *ids) add(id uuid.UUID) {
	if s.limit == 0 {
		return
	}
	if s.young == nil || len(s.young) >= (s.limit+1)/2 {
		s.young, s.old = map[uuid.UUID]struct{}{}, s.young
	}
	s.young[id] = struct{}{}
}

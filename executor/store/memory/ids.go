package memory

import "github.com/google/uuid"

// ids are those of tasks that are no longer kept: at most limit of them, and at
// least the newest half of that. They are in two generations, of which the older
// is dropped as a whole, so that none needs a place in an order.
type ids struct {
	limit      int
	young, old idSet
}

func (s *ids) has(id uuid.UUID) bool { return s.young.has(id) || s.old.has(id) }

func (s *ids) add(id uuid.UUID) {
	if s.limit == 0 {
		return
	}
	if s.young.count >= (s.limit+1)/2 {
		s.young, s.old = idSet{places: make([]uuid.UUID, len(s.young.places))}, s.young
	}
	s.young.add(id)
}

// idSet is a set of ids, as a hash table with open addressing: 16 bytes for each
// place, of which up to four fifths are taken. The nil UUID is the id of no task,
// and a free place. The zero value is empty.
type idSet struct {
	places []uuid.UUID
	count  int
}

// find is the place of an id, or the free one where it belongs.
func (s *idSet) find(id uuid.UUID) *uuid.UUID {
	mask := uint32(len(s.places) - 1)
	for i := tagOf(id) & mask; ; i = (i + 1) & mask {
		if place := &s.places[i]; *place == id || *place == uuid.Nil {
			return place
		}
	}
}

func (s *idSet) has(id uuid.UUID) bool { return s.count > 0 && *s.find(id) == id }

// add adds an id that is not there.
func (s *idSet) add(id uuid.UUID) {
	if 5*(s.count+1) > 4*len(s.places) {
		before := s.places
		s.places = make([]uuid.UUID, max(2*len(before), leastPlaces))
		for _, id := range before {
			if id != uuid.Nil {
				*s.find(id) = id
			}
		}
	}
	*s.find(id) = id
	s.count++
}

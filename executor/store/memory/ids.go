package memory

import "github.com/google/uuid"

// ids are the ids of tasks that are no longer kept: at most limit of them, and at
// least the newest half of that. They are in two generations. The older generation
// is dropped as a whole, so the ids need no order of their own.
type ids struct {
	limit      int
	young, old idSet
}

func (s *ids) has(id uuid.UUID) bool { return s.young.has(id) || s.old.has(id) }

func (s *ids) add(id uuid.UUID) {
	if s.limit == 0 {
		return
	}
	if half := (s.limit + 1) / 2; len(s.young.ids) >= half {
		s.young, s.old = idSet{ids: make([]uuid.UUID, 0, half), places: make([]uint64, len(s.young.places))}, s.young
	}
	s.young.add(id)
}

// idSet is a set of ids, one after the other, and a hash table of where they are:
// each place has the tag of an id in its upper half and its number, from 1, in the
// lower one. Up to four fifths of the places are taken. The zero value is empty.
type idSet struct {
	ids    []uuid.UUID
	places []uint64
}

func (s *idSet) has(id uuid.UUID) bool {
	if len(s.ids) == 0 {
		return false
	}
	tag, mask := tagOf(id), uint32(len(s.places)-1)
	for i := tag & mask; s.places[i] != 0; i = (i + 1) & mask {
		if place := s.places[i]; uint32(place>>32) == tag && s.ids[uint32(place)-1] == id {
			return true
		}
	}
	return false
}

// add adds an id that is not there.
func (s *idSet) add(id uuid.UUID) {
	s.ids = append(s.ids, id)
	if 5*len(s.ids) > 4*len(s.places) {
		before := s.places
		s.places = make([]uint64, max(2*len(before), leastPlaces))
		for _, place := range before {
			if place != 0 {
				s.put(place)
			}
		}
	}
	s.put(uint64(tagOf(id))<<32 | uint64(len(s.ids)))
}

func (s *idSet) put(place uint64) {
	mask := uint32(len(s.places) - 1)
	i := uint32(place>>32) & mask
	for s.places[i] != 0 {
		i = (i + 1) & mask
	}
	s.places[i] = place
}

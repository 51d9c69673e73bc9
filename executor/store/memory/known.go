package memory

import "github.com/google/uuid"

// known finds final tasks by id: it has the number of the latest end with each id. It has the ids of all tasks
// that are kept, and of tasks that are no longer kept at least the newest limit/2. The ids are in two
// generations. The older one is dropped as a whole when none of its tasks is kept, so that forgetting a single
// id costs nothing.
type known struct {
	limit      uint64 // how many ends before the oldest kept one are found
	young, old idSet
}

// minForgotten is the fewest ids that are dropped together.
const minForgotten = 512

// find answers the number of the latest end with the id. kept is the number of the oldest task that is kept.
func (k *known) find(id uuid.UUID, kept uint64) (number uint64, found bool) {
	if k.young.count+k.old.count == 0 {
		return 0, false
	}
	tag := tagOf(id)
	if number, found = k.young.find(id, tag); !found {
		number, found = k.old.find(id, tag)
	}
	return number, found && number+k.limit >= kept
}

// idOf is the id of a task that is kept.
func (k *known) idOf(number uint64) uuid.UUID {
	set := &k.young
	if number < set.base {
		set = &k.old
	}
	return *set.at(number - set.base)
}

// add adds the id of the next end. kept is the number of the oldest task that is kept.
func (k *known) add(id uuid.UUID, number, kept uint64) {
	if kept >= k.young.base+max((k.limit+1)/2, minForgotten) {
		emptied := idSet{}
		if len(k.old.places) == len(k.young.places) { // reuse the table; otherwise much more or much less is kept than before
			emptied = k.old
			clear(emptied.places)
		}
		emptied.base, emptied.count = number, 0
		k.young, k.old = emptied, k.young
	}
	if k.young.count == 0 {
		k.young.base = number
	}
	k.young.add(id)
}

// idSet has the ids of consecutive ends, and a hash table of their indexes. A place of the table has an index,
// from 1, in as many low bits as the number of places needs, and above it the upper bits of the id's tag. Up to
// four fifths of the places are taken.
type idSet struct {
	base   uint64 // the number of the first end
	count  uint32
	ids    []*[idChunk]uuid.UUID
	places []uint32
}

const idChunk = 512

func (s *idSet) at(i uint64) *uuid.UUID { return &s.ids[i/idChunk][i%idChunk] }

// find answers the number of the latest end with the id.
func (s *idSet) find(id uuid.UUID, tag uint32) (number uint64, found bool) {
	if s.count == 0 {
		return 0, false
	}
	mask := uint32(len(s.places) - 1)
	for i := tag & mask; s.places[i] != 0; i = (i + 1) & mask {
		if place := s.places[i]; place&^mask == tag&^mask {
			index := uint64(place&mask - 1)
			if s.base+index >= number && *s.at(index) == id {
				number, found = s.base+index, true
			}
		}
	}
	return number, found
}

func (s *idSet) add(id uuid.UUID) {
	if int(s.count) == len(s.ids)*idChunk {
		s.ids = append(s.ids, new([idChunk]uuid.UUID))
	}
	*s.at(uint64(s.count)) = id
	s.count++
	if 5*int(s.count) <= 4*len(s.places) {
		s.put(s.count - 1)
		return
	}
	s.places = make([]uint32, max(2*len(s.places), minPlaces))
	for i := range s.count {
		s.put(i)
	}
}

func (s *idSet) put(index uint32) {
	tag, mask := tagOf(*s.at(uint64(index))), uint32(len(s.places)-1)
	i := tag & mask
	for s.places[i] != 0 {
		i = (i + 1) & mask
	}
	s.places[i] = tag&^mask | index + 1
}

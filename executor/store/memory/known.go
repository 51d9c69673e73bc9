package memory

import "github.com/google/uuid"

// known finds final tasks by their ids: it has the number of the latest end with an id.
// It has those of all tasks that are kept, and of tasks that are no longer kept at least
// the newest half of the limit. They are in two generations. The older generation is
// dropped as a whole when none of its tasks is kept, so that the end of retention costs
// nothing for a single id.
type known struct {
	limit      uint64 // no older ends than so many before the oldest that is kept are found
	young, old idSet
}

// leastForgotten is the fewest ids that are dropped together.
const leastForgotten = 512

// find answers the number of the latest end with the id. The tasks from the number kept
// on are kept.
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

// add adds the next end. Of the tasks before it, those from the number kept on are kept.
func (k *known) add(id uuid.UUID, number, kept uint64) {
	if kept >= k.young.base+max((k.limit+1)/2, leastForgotten) {
		emptied := idSet{}
		if len(k.old.places) == len(k.young.places) { // else much more or less is kept than was
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

// idSet is the ids of consecutive ends, and a hash table of where they are. Each place
// of the table has the index of an id, from 1, in as many bits as there are places, and
// above it the upper bits of the id's tag. Up to four fifths of the places are taken.
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
	s.places = make([]uint32, max(2*len(s.places), leastPlaces))
	for i := range s.count {
		s.put(i)
	}
}

// put puts the id with the index into the table.
func (s *idSet) put(index uint32) {
	tag, mask := tagOf(*s.at(uint64(index))), uint32(len(s.places)-1)
	i := tag & mask
	for s.places[i] != 0 {
		i = (i + 1) & mask
	}
	s.places[i] = tag&^mask | index + 1
}

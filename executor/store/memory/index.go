package memory

import (
	"hash/maphash"

	"github.com/google/uuid"
)

// index finds records by id. It is a hash table with open addressing that costs 12 bytes for each place. A
// large table is from an eighth to four fifths full. The zero value is ready.
type index struct {
	tags    []uint32 // by place: taken and bits of the hash of the record's id, or 0 if the place is free
	records []*entry
	count   int
}

const (
	// minPlaces is the length of the smallest table. Lengths are powers of two.
	minPlaces = 64
	// steadyPlaces is up to which length a table does not shrink, so that a queue that is filled and emptied
	// again and again does not change its table each time.
	steadyPlaces = 8192
)

// taken is a bit in the tag of each place that has a record.
const taken = 1 << 31

var idSeed = maphash.MakeSeed()

// tagOf is the tag of an id. A search begins at the tag modulo the length of the table, and goes on to the
// first free place.
func tagOf(id uuid.UUID) uint32 { return uint32(maphash.Bytes(idSeed, id[:])) | taken }

// get is the record with the id, or nil.
func (x *index) get(id uuid.UUID) *entry {
	if x.count == 0 {
		return nil
	}
	tag, mask := tagOf(id), uint32(len(x.tags)-1)
	for i := tag & mask; x.tags[i] != 0; i = (i + 1) & mask {
		if x.tags[i] == tag && x.records[i].Value.id == id {
			return x.records[i]
		}
	}
	return nil
}

// add adds a record. Its id must not be there.
func (x *index) add(r *entry) {
	if 5*(x.count+1) > 4*len(x.tags) {
		x.resize(max(2*len(x.tags), minPlaces))
	}
	x.place(tagOf(r.Value.id), r)
	x.count++
}

func (x *index) place(tag uint32, r *entry) {
	mask := uint32(len(x.tags) - 1)
	i := tag & mask
	for x.tags[i] != 0 {
		i = (i + 1) & mask
	}
	x.tags[i], x.records[i] = tag, r
}

func (x *index) resize(places int) {
	tags, records := x.tags, x.records
	x.tags, x.records = make([]uint32, places), make([]*entry, places)
	for i, tag := range tags {
		if tag != 0 {
			x.place(tag, records[i])
		}
	}
}

// remove takes out a record, which must be there.
func (x *index) remove(r *entry) {
	mask := uint32(len(x.tags) - 1)
	free := tagOf(r.Value.id) & mask
	for x.records[free] != r {
		free = (free + 1) & mask
	}
	for i := (free + 1) & mask; x.tags[i] != 0; i = (i + 1) & mask { // a record that a search would miss because of the free place moves into it
		if begin := x.tags[i] & mask; (i-begin)&mask >= (i-free)&mask {
			x.tags[free], x.records[free] = x.tags[i], x.records[i]
			free = i
		}
	}
	x.tags[free], x.records[free] = 0, nil
	if x.count--; len(x.tags) > steadyPlaces && 8*x.count < len(x.tags) {
		x.resize(len(x.tags) / 4)
	}
}

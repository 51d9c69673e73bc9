package jsonscan

import (
	"bytes"
	"hash/maphash"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// fewNames is up to how many names an object's are compared one by one.
	fewNames = 16
	// firstTable is the length of the first hash table.
	firstTable = 64
)

var nameSeed = maphash.MakeSeed()

// name is the quoted name of a member: where it begins in the text, in the upper
// half, and its length, in the lower one, with escapedName where it has escapes.
// Names that differ in their lower halves differ, unless one has escapes.
type name uint64

const escapedName = 1 << 31 // more than any length: a text has at most MaxText bytes

func nameOf(begin, end int, escaped bool) name {
	n := name(begin)<<32 | name(end-begin)
	if escaped {
		n |= escapedName
	}
	return n
}

func (n name) escaped() bool { return n&escapedName != 0 }

// quoted is the name as it stands in the text.
func (s *Scanner) quoted(n name) []byte {
	begin := int(n >> 32)
	return s.text[begin : begin+int(n&(escapedName-1))]
}

// plain is the name without quotes and escapes; scratch is for one that has some.
func (s *Scanner) plain(n name, scratch *[]byte) []byte {
	quoted := s.quoted(n)
	if !n.escaped() {
		return quoted[1 : len(quoted)-1]
	}
	*scratch, _ = jsontext.AppendUnquote((*scratch)[:0], quoted) // it is valid
	return *scratch
}

// isNew reports whether an object does not have a name yet, and notes it.
func (s *Scanner) isNew(l *level, n name) bool {
	if l.table != nil {
		return s.isNewInTable(l.table, n)
	}
	for _, other := range s.names[l.first:] {
		if (uint32(n) == uint32(other) || (n | other).escaped()) && s.same(n, other) {
			return false
		}
	}
	s.names = append(s.names, n)
	if len(s.names)-int(l.first) > fewNames {
		s.makeTable(l)
	}
	return true
}

func (s *Scanner) same(a, b name) bool {
	if (a | b).escaped() {
		return bytes.Equal(s.plain(a, &s.scratch), s.plain(b, &s.other))
	}
	return bytes.Equal(s.quoted(a), s.quoted(b))
}

// table is a hash table of where the names of an object begin that has many:
// four bytes for each place, so that an object of millions costs a few times its
// text. 0 is a free place, since no name begins there.
type table struct {
	places []uint32
	taken  int
}

func (s *Scanner) makeTable(l *level) {
	l.table = &table{places: make([]uint32, firstTable)}
	for _, n := range s.names[l.first:] {
		s.place(l.table, n)
	}
	s.names = s.names[:l.first]
}

func (s *Scanner) isNewInTable(t *table, n name) bool {
	if 4*(t.taken+1) > 3*len(t.places) {
		before := t.places
		t.places, t.taken = make([]uint32, 2*len(before)), 0
		for _, at := range before {
			if at != 0 {
				s.place(t, s.nameAt(at))
			}
		}
	}
	return s.place(t, n)
}

// place puts a name into the table, or answers false where it is there.
func (s *Scanner) place(t *table, n name) bool {
	i := int(maphash.Bytes(nameSeed, s.plain(n, &s.scratch)) % uint64(len(t.places)))
	for ; t.places[i] != 0; i = (i + 1) % len(t.places) {
		if s.same(n, s.nameAt(t.places[i])) {
			return false
		}
	}
	t.places[i] = uint32(n >> 32)
	t.taken++
	return true
}

// nameAt is the name that begins at a place.
func (s *Scanner) nameAt(at uint32) name {
	end, escaped := s.stringEnd(int(at))
	return nameOf(int(at), end, escaped)
}

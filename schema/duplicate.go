package schema

import (
	"bytes"
	"hash/maphash"

	"github.com/go-json-experiment/json/jsontext"
)

// DuplicateName looks for an object that has two members of the same name, and
// answers that name and where it stands for the second time, or -1 where there
// is none. The text must begin with a value that is valid JSON but for such
// names, and be shorter than 4 GiB. It costs some 16 bytes for each member of
// the largest objects, where a decoder that looks for duplicates takes more
// than 100.
func DuplicateName(text []byte) (name string, at int) {
	d := duplicates{text: text, at: -1}
	d.value(0, 0)
	return string(d.name), d.at
}

// duplicates walks through a value once.
type duplicates struct {
	text   []byte
	name   []byte    // the name that is there twice, in its object
	at     int       // where it is for the second time, or -1
	levels []nameSet // one for each object around the present place
	a, b   []byte    // scratch, for names with escapes
}

// value answers where the value that begins at or after i ends, or -1 where
// it has a duplicate name.
func (d *duplicates) value(i, level int) int {
	i = d.blank(i)
	switch d.text[i] {
	case '{':
		return d.object(i+1, level)
	case '[':
		return d.array(i+1, level)
	case '"':
		return d.stringEnd(i)
	}
	for i < len(d.text) && bytes.IndexByte([]byte(",]} \t\r\n"), d.text[i]) < 0 {
		i++
	}
	return i
}

func (d *duplicates) array(i, level int) int {
	for {
		if i = d.blank(i); d.text[i] == ']' {
			return i + 1
		}
		if i = d.value(i, level); i < 0 {
			return i
		}
		if i = d.blank(i); d.text[i] == ',' {
			i++
		}
	}
}

func (d *duplicates) object(i, level int) int {
	if level == len(d.levels) {
		d.levels = append(d.levels, nameSet{})
	}
	d.levels[level].reset()
	for {
		if i = d.blank(i); d.text[i] == '}' {
			return i + 1
		}
		if !d.levels[level].add(d, uint32(i)) {
			d.name, d.at = d.nameAt(uint32(i), &d.a), i
			return -1
		}
		i = d.blank(d.stringEnd(i)) + 1 // behind the colon
		if i = d.value(i, level+1); i < 0 {
			return i
		}
		if i = d.blank(i); d.text[i] == ',' {
			i++
		}
	}
}

func (d *duplicates) blank(i int) int {
	for i < len(d.text) && bytes.IndexByte([]byte(" \t\r\n"), d.text[i]) >= 0 {
		i++
	}
	return i
}

// stringEnd answers where the string that begins at i ends.
func (d *duplicates) stringEnd(i int) int {
	for i++; d.text[i] != '"'; i++ {
		if d.text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// nameAt is the name whose quoted form begins at i.
func (d *duplicates) nameAt(i uint32, scratch *[]byte) []byte {
	quoted := d.text[i:d.stringEnd(int(i))]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	*scratch, _ = jsontext.AppendUnquote((*scratch)[:0], quoted) // it is valid
	return *scratch
}

const (
	// fewNames is up to how many names an object's are compared one by one.
	fewNames = 16
	// firstTable is the length of the first hash table.
	firstTable = 64
)

var nameSeed = maphash.MakeSeed()

// nameSet is the names of one object, each as the place of its quoted form.
type nameSet struct {
	few   []uint32
	table []uint32 // of all names once there are more than few; 0 is a free place, since no name is there
	count int
}

func (s *nameSet) reset() {
	s.few, s.count = s.few[:0], 0
	s.table = nil // one that was large would be cleared for each small object that follows
}

// add answers false where the name is there already.
func (s *nameSet) add(d *duplicates, at uint32) bool {
	name := d.nameAt(at, &d.a)
	if s.table == nil {
		for _, other := range s.few {
			if bytes.Equal(name, d.nameAt(other, &d.b)) {
				return false
			}
		}
		s.few = append(s.few, at)
		if len(s.few) > fewNames {
			s.grow(d, firstTable)
		}
		return true
	}
	if 4*(s.count+1) > 3*len(s.table) {
		s.grow(d, 2*len(s.table))
		name = d.nameAt(at, &d.a)
	}
	i := s.place(name)
	for ; s.table[i] != 0; i = (i + 1) % len(s.table) {
		if bytes.Equal(name, d.nameAt(s.table[i], &d.b)) {
			return false
		}
	}
	s.table[i] = at
	s.count++
	return true
}

func (s *nameSet) place(name []byte) int {
	return int(maphash.Bytes(nameSeed, name) % uint64(len(s.table)))
}

// grow moves the names to a new table.
func (s *nameSet) grow(d *duplicates, size int) {
	before := s.table
	if before == nil {
		before = s.few
		s.count = len(s.few)
	}
	s.table = make([]uint32, size)
	for _, at := range before {
		if at == 0 {
			continue
		}
		i := s.place(d.nameAt(at, &d.a))
		for s.table[i] != 0 {
			i = (i + 1) % size
		}
		s.table[i] = at
	}
}

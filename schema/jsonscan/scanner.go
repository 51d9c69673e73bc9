package jsonscan

import (
	"io"
	"math"
)

// Scanner reads one JSON value. Reset it before each; its memory is used again.
// It is for one goroutine.
//
// The first error stays: from then on Next answers false and Value nil, and Err
// tells what is wrong. What was read before is of a text that is not valid.
type Scanner struct {
	text   []byte
	pos    int // behind what was read
	most   int // how deep objects and arrays may nest
	levels []level
	names  []name // of the open objects, as far as they have few
	last   name   // the name that Next has read
	fault  *SyntaxError

	scratch, other []byte // for two names with escapes
}

// MaxText is the most bytes that a text can have: places in it are kept in 32 bits.
const MaxText = math.MaxInt32

// level is an object or array that is open.
type level struct {
	table *table // of names, where there are many
	name  name   // of the newest member
	first uint32 // where the names of this object begin in Scanner.names
	count uint32 // members or elements that have begun
	end   byte   // the bracket that closes it
}

// Reset begins with another text, which may go on behind its first value. No
// part of the value may nest deeper than most.
func (s *Scanner) Reset(text []byte, most int) {
	s.text, s.pos, s.most = text, 0, most
	s.levels, s.names, s.fault = s.levels[:0], s.names[:0], nil
	if len(text) > MaxText {
		s.fail(0, errTooLong, false)
	}
}

// Err is the first error, or nil.
func (s *Scanner) Err() *SyntaxError { return s.fault }

// Offset is where the scanner is: at the value that Kind has told, or behind what
// was read.
func (s *Scanner) Offset() int { return s.pos }

// From is what was read since an earlier Offset.
func (s *Scanner) From(offset int) []byte { return s.text[offset:s.pos] }

// AtEnd reports whether nothing but white space follows.
func (s *Scanner) AtEnd() bool { return s.blank(s.pos) == len(s.text) }

// Kind tells the next value by its first byte: { [ " t f n, or '0' for a number.
// It answers another byte where no value begins, and 0 at the end of the text or
// after an error.
func (s *Scanner) Kind() byte {
	s.pos = s.blank(s.pos)
	if s.pos == len(s.text) || s.fault != nil {
		return 0
	}
	c := s.text[s.pos]
	if c == '-' || c-'0' <= 9 {
		return '0'
	}
	return c
}

// Open enters the object or array that comes next. Next then goes through it.
func (s *Scanner) Open() {
	if c := s.Kind(); c == '{' || c == '[' {
		s.open(c)
	} else {
		s.badValue()
	}
}

func (s *Scanner) open(bracket byte) {
	if len(s.levels) >= s.most {
		s.fail(s.pos, ErrDepth, true)
		return
	}
	s.pos++
	depth := len(s.levels)
	if depth == cap(s.levels) {
		s.levels = append(s.levels, level{})
	}
	s.levels = s.levels[:depth+1]
	l := &s.levels[depth] // in place: there are many
	l.table, l.first, l.count = nil, uint32(len(s.names)), 0
	l.end = bracket + 2 // '}' is '{'+2, ']' is '['+2
}

// Next goes on to the next member or element of what was opened last. Its value
// is to be read with Value, or opened, before Next is called again. Next answers
// false where there is none: then it has left the object or array.
func (s *Scanner) Next() bool {
	if s.fault != nil {
		return false
	}
	l := &s.levels[len(s.levels)-1]
	i := s.blank(s.pos)
	if i == len(s.text) {
		return s.fail(i, io.ErrUnexpectedEOF, false)
	}
	if s.text[i] == l.end {
		s.pos = i + 1
		s.names = s.names[:l.first]
		s.levels = s.levels[:len(s.levels)-1]
		return false
	}
	if l.count > 0 {
		if s.text[i] != ',' {
			return s.fail(i, badCharacter(s.text[i:], afterValue(l.end)), false)
		}
		i = s.blank(i + 1)
	}
	if l.end == ']' {
		l.count++
		s.pos = i
		return true
	}
	return s.member(l, i)
}

// member reads the name of a member, and the colon.
func (s *Scanner) member(l *level, i int) bool {
	end, escaped := s.stringEnd(i)
	if end < 0 {
		return s.badString(i, false)
	}
	l.count++
	s.last = nameOf(i, end, escaped)
	l.name = s.last
	if !s.isNew(l, s.last) {
		return s.fail(i, ErrDuplicateName, true)
	}
	if i = s.blank(end); i == len(s.text) {
		return s.fail(i, io.ErrUnexpectedEOF, true)
	}
	if s.text[i] != ':' {
		return s.fail(i, badCharacter(s.text[i:], "after object name (expecting ':')"), true)
	}
	s.pos = i + 1
	return true
}

// Name is the name of the member that Next has gone on to, without quotes and
// escapes. It is a part of the text, or a copy where it has escapes.
func (s *Scanner) Name() []byte {
	quoted := s.quoted(s.last)
	if s.last.escaped() {
		return Unquote(quoted)
	}
	return quoted[1 : len(quoted)-1]
}

// Value reads the next value, and answers it without the space around it.
func (s *Scanner) Value() []byte {
	kind := s.Kind()
	begin, depth := s.pos, len(s.levels)
	s.step(kind)
	for len(s.levels) > depth {
		if s.Next() {
			s.step(s.Kind())
		} else if s.fault != nil {
			break
		}
	}
	if s.fault != nil {
		return nil
	}
	return s.text[begin:s.pos]
}

// step reads a value that is no object or array, or the bracket that opens one.
func (s *Scanner) step(kind byte) {
	end, valid := s.pos, false
	switch kind {
	case '{', '[':
		s.open(kind)
		return
	case '"':
		end, _ = s.stringEnd(s.pos)
		valid = end >= 0
	case '0':
		end, valid = numberEnd(s.text, s.pos)
	case 't':
		end, valid = literalEnd(s.text, s.pos, "true")
	case 'f':
		end, valid = literalEnd(s.text, s.pos, "false")
	case 'n':
		end, valid = literalEnd(s.text, s.pos, "null")
	}
	if !valid {
		s.badValue()
		return
	}
	s.pos = end
}

// blank answers where the white space that begins at i ends.
func (s *Scanner) blank(i int) int {
	if i < len(s.text) && s.text[i] > ' ' { // nearly always
		return i
	}
	return s.skipBlank(i)
}

func (s *Scanner) skipBlank(i int) int {
	for i < len(s.text) && (s.text[i] == ' ' || s.text[i] == '\n' || s.text[i] == '\t' || s.text[i] == '\r') {
		i++
	}
	return i
}

package wire

import (
	"bytes"
	"math"

	"github.com/jobline/jobline/schema/jsonscan"
)

// This file reads messages that are not valid JSON, or that are cut, as far as it
// can. A client that has sent such a request waits for an answer with its id.

// identity says what a broken message is about.
type identity struct {
	ID       []byte // as it was sent; nil where it is not known
	Response bool   // the message has a result or an error, and no method
}

// identify reads a broken message as far as its brackets, strings and commas make
// sense. An id counts where it is a whole value, a member of the outermost object,
// and the only id there.
func identify(text []byte) (s identity) {
	if len(text) == 0 || text[0] != '{' {
		return s
	}
	var method, outcome, twice bool
	lenientMembers(text, func(name, value []byte) {
		switch string(name) {
		case "id":
			twice = twice || s.ID != nil && !bytes.Equal(s.ID, value)
			s.ID = value
		case "method":
			method = true
		case "result", "error":
			outcome = true
		}
	})
	s.Response = outcome && !method
	if twice || !isID(s.ID) {
		s.ID = nil
	}
	return s
}

// batchOf is the array that a broken text begins with, or nil where its brackets do
// not match.
func batchOf(text []byte) []byte {
	if len(text) == 0 || text[0] != '[' {
		return nil
	}
	array, _ := lenientValue(text)
	return array
}

// isID reports whether a text can be the id of a request.
func isID(text []byte) bool {
	var s jsonscan.Scanner
	s.Reset(text, 0)
	kind := s.Kind()
	return (kind == '"' || kind == '0') && s.Value() != nil && s.AtEnd()
}

// lenientMembers calls f with the members of an object, up to the first place that
// makes no sense. A value that is cut is nil.
func lenientMembers(object []byte, f func(name, value []byte)) {
	for rest := object[1:]; ; {
		name, after := lenientString(trimBlank(rest))
		after = trimBlank(after)
		if name == nil || len(after) == 0 || after[0] != ':' {
			return
		}
		value, after := lenientValue(trimBlank(after[1:]))
		f(jsonscan.Unquote(name), value)
		after = trimBlank(after)
		if value == nil || len(after) == 0 || after[0] != ',' {
			return
		}
		rest = after[1:]
	}
}

// LenientElements calls f with each text between the commas of an array whose
// brackets match, until f answers false.
func LenientElements(array []byte, f func(element []byte) bool) {
	rest := array[1:]
	for {
		rest = trimBlank(rest)
		end := 0
		for end < len(rest) && rest[end] != ',' && rest[end] != ']' {
			switch rest[end] {
			case '"', '{', '[':
				value, _ := lenientValue(rest[end:])
				end += max(len(value), 1)
			default:
				end++
			}
		}
		if !f(bytes.TrimRight(rest[:end], blanks)) || end == len(rest) || rest[end] == ']' {
			return
		}
		rest = rest[end+1:]
	}
}

// lenientValue splits text after the value that it begins with. A value that is cut
// is nil.
func lenientValue(text []byte) (value, after []byte) {
	if len(text) == 0 {
		return nil, nil
	}
	switch text[0] {
	case '"':
		return lenientString(text)
	case '{', '[':
		brackets := bracketScanner{most: math.MaxInt}
		if n := brackets.step(text); n > 0 {
			return text[:n], text[n:]
		}
		return nil, nil
	}
	if n := bytes.IndexAny(text, ",]}"+blanks); n > 0 {
		return text[:n], text[n:]
	}
	return nil, nil
}

// lenientString splits text after the string that it begins with.
func lenientString(text []byte) (quoted, after []byte) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i+1], text[i+1:]
		}
	}
	return nil, nil
}

const blanks = " \t\r\n"

func trimBlank(text []byte) []byte { return bytes.TrimLeft(text, blanks) }

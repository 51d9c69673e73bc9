package wire

import (
	"bytes"
	"math"

	"github.com/jobline/jobline/internal/jsonscan"
)

// This file reads what it can of messages that are not valid JSON, or of which
// there is only the beginning: who has sent a request waits for an answer with
// its id.

// identity is what can be told of a broken message.
type identity struct {
	ID       []byte // of a request or a response, as it was sent; nil where none can be told
	Response bool   // it is a response: it has a result or an error, and no method
}

// identify reads a broken message as far as its brackets, strings and commas
// make sense. An id counts where it is a member of the outermost object, whole,
// and the only one.
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

// batchOf is the array that a broken text begins with, where its elements can be
// told apart, or nil.
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

// lenientMembers calls f with the members of an object up to the first place that
// makes no sense. A value that is not whole is nil.
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

// LenientElements calls f with what stands between the commas of an array whose
// brackets match, until it answers false.
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

// lenientValue splits text behind the value that it begins with: nil where that
// is not whole.
func lenientValue(text []byte) (value, after []byte) {
	if len(text) == 0 {
		return nil, nil
	}
	switch text[0] {
	case '"':
		return lenientString(text)
	case '{', '[':
		brackets := scan{most: math.MaxInt}
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

// lenientString splits text behind the string that it begins with.
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

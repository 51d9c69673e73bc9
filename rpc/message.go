package rpc

import (
	"github.com/jobline/jobline/internal/jsonscan"
	"github.com/jobline/jobline/schema"
)

// message is a JSON value of a client and, where it is an object, the parts of a
// request. They are found while the text is checked, and are pieces of it: good
// as long as that is.
type message struct {
	text                []byte
	version, id, method []byte // as in the text; id is nil for a notification, method has no quotes
	params              params
	response            bool   // it has a result or an error
	wrong               string // the first thing that keeps it from being a request
}

// read reads the next value of the scanner, which has the error where it is not
// valid: then nothing else of the message holds.
func (m *message) read(s *jsonscan.Scanner) {
	m.version, m.id, m.method, m.response, m.wrong = nil, nil, nil, false, ""
	m.params.reset()
	if s.Kind() != '{' {
		m.text = s.Value()
		return
	}
	begin := s.Offset()
	for s.Open(); s.Next(); {
		m.member(s)
	}
	m.text = s.From(begin)
}

func (m *message) member(s *jsonscan.Scanner) {
	switch string(s.Name()) {
	case "jsonrpc":
		m.version = s.Value()
	case "method":
		if s.Kind() == '"' {
			m.method = jsonscan.Unquote(s.Value())
		} else {
			m.fault("method must be a string, got ", s)
		}
	case "params":
		if !m.params.read(s) {
			m.fault("params must be an object, got ", s)
		}
	case "id":
		switch s.Kind() {
		case '{', '[', 't', 'f':
			m.fault("id must be a string, a number or null, got ", s)
		default:
			m.id = s.Value()
		}
	case "result", "error":
		m.response = true
		s.Value()
	default: // of an extension, as traceparent of OpenTelemetry
		s.Value()
	}
}

// fault notes that the next value is not what it should be.
func (m *message) fault(text string, s *jsonscan.Scanner) {
	value := s.Value()
	if m.wrong == "" {
		m.wrong = text + schema.Cut(value)
	}
}

// isResponse reports whether the message answers a request. A server asks for
// nothing, and answering it could go on for ever between two servers.
func (m *message) isResponse() bool { return m.response && m.method == nil }

// check says what is wrong with the message as a request, or nil.
func (m *message) check() *Error {
	switch {
	case m.text[0] != '{':
		return newError(schema.CodeInvalidRequest, "a request is an object, got %s", schema.Cut(m.text))
	case m.wrong != "":
	case m.version == nil:
		m.wrong = `jsonrpc is missing; it must be "2.0"`
	case string(m.version) != `"2.0"`:
		m.wrong = `jsonrpc must be "2.0", got ` + schema.Cut(m.version)
	case m.method == nil:
		m.wrong = "method is missing"
	case m.response:
		m.wrong = "a request has neither result nor error"
	default:
		return nil
	}
	return newError(schema.CodeInvalidRequest, "%s", m.wrong)
}

// methodName is the name as a string; those of our methods are there already.
func (m *message) methodName() string {
	for _, known := range schema.MethodNames {
		if known == string(m.method) {
			return known
		}
	}
	return string(m.method)
}

// firstMembers is how many members of params are noted while a message is read:
// more than any method has.
const firstMembers = 16

// params are the params of a request.
type params struct {
	raw   []byte // an object, an array, or nil where there are none
	first [firstMembers]member
	count int // of all members
}

type member struct {
	name  []byte // without quotes
	value []byte
}

func (p *params) reset() { p.raw, p.count = nil, 0 }

// read reads the next value of the scanner. It answers false, and leaves the
// value, where that cannot be params.
func (p *params) read(s *jsonscan.Scanner) bool {
	switch s.Kind() {
	case '{':
		begin := s.Offset()
		for s.Open(); s.Next(); p.count++ {
			if p.count < firstMembers {
				m := &p.first[p.count]
				m.name, m.value = s.Name(), s.Value()
			} else {
				s.Value()
			}
		}
		p.raw = s.From(begin)
	case '[':
		p.raw = s.Value()
	case 'n': // null is as absent
		s.Value()
	default:
		return false
	}
	return true
}

// each calls f with the name and the value of each member of params that are no
// array. It stops where f answers false.
func (p *params) each(f func(name, value []byte) bool) {
	if p.count > firstMembers {
		members(p.raw, f)
		return
	}
	for i := range p.first[:p.count] {
		if m := &p.first[i]; !f(m.name, m.value) {
			return
		}
	}
}

// get is the value of a member, or nil.
func (p *params) get(wanted string) (found []byte) {
	p.each(func(name, value []byte) bool {
		if string(name) == wanted {
			found = value
		}
		return found == nil
	})
	return found
}

// sayNothing reports whether params that are an array stand for none: some
// languages write an empty object as [], and some libraries undefined as [null].
func (p *params) sayNothing() bool {
	nothing, n := true, 0
	elements(p.raw, func(value []byte) bool {
		n++
		nothing = n == 1 && value[0] == 'n'
		return nothing
	})
	return nothing
}

// members calls f with the name and the value of each member of a valid object.
// It stops where f answers false.
func members(object []byte, f func(name, value []byte) bool) {
	var s jsonscan.Scanner
	s.Reset(object, maxNesting)
	for s.Open(); s.Next() && f(s.Name(), s.Value()); {
	}
}

// elements calls f with each element of a valid array. It stops where f answers false.
func elements(array []byte, f func(value []byte) bool) {
	var s jsonscan.Scanner
	s.Reset(array, maxNesting)
	for s.Open(); s.Next() && f(s.Value()); {
	}
}

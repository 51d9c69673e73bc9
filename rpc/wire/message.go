package wire

import (
	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

// Message is a JSON value and, where it is an object, its parts as a request. The
// parts are slices of the text, and are valid as long as it is. They are found while
// the text is checked.
type Message struct {
	Text   []byte // the whole value
	ID     []byte // as in the text; nil for a notification
	Params Params

	version  []byte // as in the text
	method   []byte // without quotes
	response bool   // it has a result or an error
	wrong    string // the first reason why it is no request
}

// Read reads the next value of the scanner, which has the error where it is not
// valid: then nothing else of the message holds.
func (m *Message) Read(s *jsonscan.Scanner) {
	m.version, m.ID, m.method, m.response, m.wrong = nil, nil, nil, false, ""
	m.Params.Reset()
	if s.Kind() != '{' {
		m.Text = s.Value()
		return
	}
	begin := s.Offset()
	for s.Open(); s.Next(); {
		m.member(s)
	}
	m.Text = s.From(begin)
}

func (m *Message) member(s *jsonscan.Scanner) {
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
		if !m.Params.Read(s) {
			m.fault("params must be an object, got ", s)
		}
	case "id":
		switch s.Kind() {
		case '{', '[', 't', 'f':
			m.fault("id must be a string, a number or null, got ", s)
		default:
			m.ID = s.Value()
		}
	case "result", "error":
		m.response = true
		s.Value()
	default: // of an extension, as traceparent of OpenTelemetry
		s.Value()
	}
}

// fault notes that the next value is not what it should be.
func (m *Message) fault(text string, s *jsonscan.Scanner) {
	value := s.Value()
	if m.wrong == "" {
		m.wrong = text + schema.Cut(value)
	}
}

// IsResponse reports whether the message answers a request. A server ignores
// responses: two servers that answer each other would never stop.
func (m *Message) IsResponse() bool { return m.response && m.method == nil }

// Check answers why the message is no request, or nil where it is one.
func (m *Message) Check() *Error {
	switch {
	case m.Text[0] != '{':
		return NewError(schema.CodeInvalidRequest, "a request is an object, got %s", schema.Cut(m.Text))
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
	return NewError(schema.CodeInvalidRequest, "%s", m.wrong)
}

// MethodName is the name of the method. For a known method it allocates nothing.
func (m *Message) MethodName() string {
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

// Params are the params of a request.
type Params struct {
	Raw   []byte // an object, an array, or nil where there are none
	first [firstMembers]Member
	count int // of all members
}

// Member is a member of params.
type Member struct {
	Name  []byte // without quotes
	Value []byte // as in the text
}

// Reset makes the params empty.
func (p *Params) Reset() { p.Raw, p.count = nil, 0 }

// Read reads the next value of the scanner. It answers false, and leaves the
// value, where that cannot be params.
func (p *Params) Read(s *jsonscan.Scanner) bool {
	switch s.Kind() {
	case '{':
		begin := s.Offset()
		for s.Open(); s.Next(); p.count++ {
			if p.count < firstMembers {
				m := &p.first[p.count]
				m.Name, m.Value = s.Name(), s.Value()
			} else {
				s.Value()
			}
		}
		p.Raw = s.From(begin)
	case '[':
		p.Raw = s.Value()
	case 'n': // null is as absent
		s.Value()
	default:
		return false
	}
	return true
}

// Noted answers the first members of params that are an object, and whether there are
// no others.
func (p *Params) Noted() (members []Member, all bool) {
	return p.first[:min(p.count, firstMembers)], p.count <= firstMembers
}

// Each calls f with each member of params that are an object, until f answers false.
func (p *Params) Each(f func(name, value []byte) bool) {
	if p.count > firstMembers {
		Members(p.Raw, f)
		return
	}
	for i := range p.first[:p.count] {
		if m := &p.first[i]; !f(m.Name, m.Value) {
			return
		}
	}
}

// Get is the value of a member, or nil.
func (p *Params) Get(wanted string) (found []byte) {
	p.Each(func(name, value []byte) bool {
		if string(name) == wanted {
			found = value
		}
		return found == nil
	})
	return found
}

// StandForNone reports whether params that are an array mean no params: some
// languages write an empty object as [], some libraries write undefined as [null].
func (p *Params) StandForNone() bool {
	nothing, n := true, 0
	Elements(p.Raw, func(value []byte) bool {
		n++
		nothing = n == 1 && value[0] == 'n'
		return nothing
	})
	return nothing
}

// Members calls f with the name and the value of each member of a valid object.
// It stops where f answers false.
func Members(object []byte, f func(name, value []byte) bool) {
	var s jsonscan.Scanner
	s.Reset(object, MaxNesting)
	for s.Open(); s.Next() && f(s.Name(), s.Value()); {
	}
}

// Elements calls f with each element of a valid array. It stops where f answers false.
func Elements(array []byte, f func(value []byte) bool) {
	var s jsonscan.Scanner
	s.Reset(array, MaxNesting)
	for s.Open(); s.Next() && f(s.Value()); {
	}
}

package rpc

import (
	"iter"
	"slices"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// decoderOf makes the function that reads the params of a method: as strictly
// as the published schema, which is derived when it is needed for the first
// time. A member that can be null is named.
func decoderOf[P any](nullable ...string) func(raw []byte) (*P, error) {
	derived := sync.OnceValues(schema.Derive[P])
	return func(raw []byte) (*P, error) {
		s, err := derived()
		if err != nil {
			return nil, err
		}
		raw = withoutNothing(raw, func(name string) bool { return s.Knows(name) && !slices.Contains(nullable, name) })
		if v := s.Validate(raw); v != nil {
			return nil, &executor.InputError{What: "params", Violations: v}
		}
		params := new(P)
		if err := s.Unmarshal(raw, params); err != nil {
			return nil, invalid("", err.Error())
		}
		return params, nil
	}
}

// withoutNothing drops the members of params that say nothing: the reserved
// _meta, and the optional ones that are null, as many languages write what is
// absent.
func withoutNothing(object []byte, optional func(name string) bool) []byte {
	if object == nil {
		return []byte("{}")
	}
	needless := func(name, value []byte) bool {
		return string(name) == "_meta" || value[0] == 'n' && optional(string(name))
	}
	clean := true
	members(object, func(name, value []byte) bool {
		clean = !needless(name, value)
		return clean
	})
	if clean { // it need not be copied
		return object
	}
	rest := append(make([]byte, 0, len(object)), '{')
	members(object, func(name, value []byte) bool {
		if needless(name, value) {
			return true
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = appendString(rest, string(name))
		rest = append(append(rest, ':'), value...)
		return true
	})
	return append(rest, '}')
}

// saysNothing reports whether params that are an array stand for none: some
// languages write an empty object as [], and some libraries undefined as [null].
func saysNothing(array []byte) bool {
	nothing, n := true, 0
	elements(array, func(value []byte) bool {
		n++
		nothing = n == 1 && value[0] == 'n'
		return nothing
	})
	return nothing
}

// invalid is an error about one place in the params.
func invalid(pointer, message string) error {
	return &executor.InputError{What: "params", Violations: []schema.Violation{{Pointer: pointer, Message: message}}}
}

// needID refuses the nil UUID, which stands for no id everywhere else.
func needID(id uuid.UUID) error {
	if id != uuid.Nil {
		return nil
	}
	return invalid("/id", "the nil UUID is the id of no task")
}

var decodeAnySubmit = decoderOf[schema.SubmitParams]("input")

// decodeSubmit reads the params of a submit, into p where that is possible.
// The members that nearly every submit has are read by hand; as soon as
// something is not as expected, all is read again by the schema.
func decodeSubmit(raw []byte, p *schema.SubmitParams) (*schema.SubmitParams, error) {
	*p = schema.SubmitParams{}
	plain := raw != nil
	if plain {
		members(raw, func(name, value []byte) bool {
			plain = submitMember(p, name, value)
			return plain
		})
	}
	if plain && p.Type != "" {
		return p, nil
	}
	if raw != nil {
		if err := executor.CheckLabels(labelsOf(raw)); err != nil {
			return nil, err
		}
	}
	general, err := decodeAnySubmit(raw)
	if err == nil && general.ID == uuid.Nil && hasMember(raw, "id") {
		return nil, invalid("/id", "the nil UUID is no id; choose another, or leave it out")
	}
	return general, err
}

// labelsOf are the labels in the params of a submit. What is not as it should
// be is left out.
func labelsOf(params []byte) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		members(params, func(name, value []byte) bool {
			if string(name) != "labels" {
				return true
			}
			if value[0] == '{' {
				members(value, func(key, text []byte) bool {
					return text[0] != '"' || yield(string(key), string(unquoted(text)))
				})
			}
			return false
		})
	}
}

// hasMember reports whether an object has a member that is not null.
func hasMember(object []byte, wanted string) bool {
	found := false
	members(object, func(name, value []byte) bool {
		found = string(name) == wanted && value[0] != 'n'
		return !found
	})
	return found
}

// submitMember reads one member by hand, or answers false.
func submitMember(p *schema.SubmitParams, name, value []byte) bool {
	var err error
	switch string(name) {
	case "type":
		if value[0] != '"' {
			return false
		}
		p.Type = string(unquoted(value))
	case "input":
		p.Input = value
	case "id":
		if len(value) != 38 {
			return false
		}
		p.ID, err = uuid.ParseBytes(value[1:37])
		return err == nil && p.ID != uuid.Nil
	case "priority":
		p.Priority, err = strconv.Atoi(string(value))
	case "timeoutMs":
		p.TimeoutMs, err = strconv.ParseInt(string(value), 10, 64)
	case "events":
		return plainEvents(p, value)
	default:
		return false
	}
	return err == nil
}

func plainEvents(p *schema.SubmitParams, value []byte) bool {
	if value[0] != '[' {
		return false
	}
	plain := true
	p.Events = []string{}
	elements(value, func(name []byte) bool {
		i := slices.IndexFunc(eventNames, func(known string) bool { return string(name) == known })
		if plain = i >= 0 && len(p.Events) < len(eventNames); plain { // of more the schema has the limit
			p.Events = append(p.Events, eventNames[i][1:len(eventNames[i])-1])
		}
		return plain
	})
	return plain
}

// eventNames are the events of a submit as JSON.
var eventNames = []string{`"started"`, `"progress"`, `"output"`, `"finished"`}

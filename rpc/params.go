package rpc

import (
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// decoderOf makes the function that decodes the params of a method. It is as strict
// as the published schema, which is derived at the first use. The members named in
// nullable may be null; others that are null count as absent.
func decoderOf[P any](nullable ...string) func(*wire.Params) (*P, error) {
	derived := sync.OnceValues(schema.Derive[P])
	return func(p *wire.Params) (*P, error) {
		s, err := derived()
		if err != nil {
			return nil, err
		}
		raw := dropNulls(p, func(name string) bool { return s.Knows(name) && !slices.Contains(nullable, name) })
		if v := s.Validate(raw); v != nil {
			return nil, &executor.InputError{What: "params", Violations: v}
		}
		decoded := new(P)
		if err := s.Unmarshal(raw, decoded); err != nil {
			return nil, invalid("", err.Error())
		}
		return decoded, nil
	}
}

// dropNulls drops the reserved member _meta, and optional members that are null:
// many languages write absent members as null.
func dropNulls(p *wire.Params, optional func(name string) bool) []byte {
	if p.Raw == nil {
		return []byte("{}")
	}
	needless := func(name, value []byte) bool {
		return string(name) == "_meta" || value[0] == 'n' && optional(string(name))
	}
	clean := true
	p.Each(func(name, value []byte) bool {
		clean = !needless(name, value)
		return clean
	})
	if clean { // it need not be copied
		return p.Raw
	}
	rest := append(make([]byte, 0, len(p.Raw)), '{')
	p.Each(func(name, value []byte) bool {
		if needless(name, value) {
			return true
		}
		rest = appendMember(rest, name, value)
		return true
	})
	return append(rest, '}')
}

// appendMember appends a member to an object that is not closed.
func appendMember(object, name, value []byte) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(wire.AppendString(object, string(name)), ':')
	return append(object, value...)
}

// invalid is an error about one place in the params.
func invalid(pointer, message string) error {
	return &executor.InputError{What: "params", Violations: []schema.Violation{{Pointer: pointer, Message: message}}}
}

// needID refuses the nil UUID, which means "no id" elsewhere.
func needID(id uuid.UUID) error {
	if id != uuid.Nil {
		return nil
	}
	return invalid("/id", "the nil UUID is the id of no task")
}

package schema

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// dialect is the version of JSON Schema in which derived schemas are written.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is a JSON Schema (2020-12) with its compiled validator. It never
// changes, so any number of goroutines may use it.
type Schema struct {
	raw    jsontext.Value
	root   *node
	hasAny bool // whether the type has a field, or is, an any
}

// Derive makes the schema of a Go type. The schema describes the JSON that json.Marshal writes
// for the type and that Unmarshal reads into it:
//
//   - A field is required unless its tag has omitzero or omitempty.
//   - Embedded structs are flattened.
//   - Members that the type does not have are refused.
//   - null is allowed only where a nil pointer would be written as null.
//
// The tag jsonschema:"…" describes a field. The tag schema:"key=value,…" sets limits that a Go
// type cannot express. In a list or a map, minimum, maximum, minLength, maxLength and enum
// (names separated by |) apply to each element; minItems, maxItems, maxProperties and default
// apply to the whole.
//
// Derive fails for a type that a schema could not describe truly: a type that writes or reads its
// own JSON, or has only one of MarshalText and UnmarshalText; a type that contains itself;
// time.Duration; a map whose keys are not plain strings; an interface other than any; a
// struct or a tag that the JSON package refuses; a field with the option string, format or
// embed; an embedded pointer.
//
// A type with MarshalText and UnmarshalText is a string in the schema. Validate calls
// UnmarshalText to find out whether a string is valid.
func Derive[T any]() (*Schema, error) {
	t := reflect.TypeFor[T]()
	d := newDeriver(wireTypes)
	s, err := d.of(t)
	if err != nil {
		return nil, fmt.Errorf("derive a JSON Schema of %v: %w", t, err)
	}
	s.Dialect = dialect
	raw, err := s.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema of %v: %w", t, err)
	}
	return &Schema{raw: raw, root: d.compile(s), hasAny: d.hasAny}, nil
}

// Raw is the schema as JSON. It must not be changed.
func (s *Schema) Raw() jsontext.Value { return s.raw }

// Validate checks a JSON value. Nil means that it is valid, so that Unmarshal into the type will
// succeed. Violations are in the order of the value; there are at most maxViolations. They do
// not quote text that may be secret: they quote a string only where an enum value, a UUID or a time
// is wanted.
func (s *Schema) Validate(value jsontext.Value) []Violation { return check(s.root, value) }

// Knows reports whether an object of the schema may have a member of this name.
func (s *Schema) Knows(member string) bool {
	if s.root == nil {
		return true
	}
	_, known := s.root.members[member]
	return known || !s.root.closed
}

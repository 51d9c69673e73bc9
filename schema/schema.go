package schema

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// dialect is the JSON Schema that every derived schema is written in.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is a JSON Schema (2020-12) with its compiled validator. It never
// changes, so any number of goroutines may use it.
type Schema struct {
	raw    jsontext.Value
	root   *node
	hasAny bool // whether the type has a field, or is, an any
}

// Derive makes the schema of a Go type: of what json.Marshal writes for it,
// and of what Unmarshal takes for it. A field is required unless it is
// omitzero or omitempty, embedded structs are flattened, members that the type
// does not have are refused, and null is allowed only where a nil pointer
// would be written as null. The tag jsonschema:"…" describes a field; the tag
// schema:"key=value,…" sets limits that a Go type cannot say: minimum,
// maximum, minLength, maxLength and enum (names separated by |), which in a
// list or a map are of its elements, and minItems, maxItems, maxProperties and
// default, which are of the whole.
//
// It is an error where a schema would be untrue: types that write or read
// their own JSON, or only one of MarshalText and UnmarshalText; types that
// contain themselves; time.Duration; maps whose keys are no plain strings;
// interfaces other than any; structs and tags that the JSON package refuses;
// fields with the options string, format or embed; embedded pointers.
//
// Of a type with MarshalText and UnmarshalText the schema says that it is a
// string; which strings, Validate asks the type itself.
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

// Validate checks a JSON value. Nil means that it is valid: Unmarshal into the
// type will succeed. Violations are in the order of the value, at most
// maxViolations, and quote no text that may be a secret: only what stands where
// one of a few words, a UUID or a time is wanted.
func (s *Schema) Validate(value jsontext.Value) []Violation { return check(s.root, value) }

// Knows reports whether an object of the schema can have the member.
func (s *Schema) Knows(member string) bool {
	if s.root == nil {
		return true
	}
	_, known := s.root.members[member]
	return known || !s.root.closed
}

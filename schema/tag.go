package schema

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxExactInteger is the greatest integer up to which every one is a float64,
// which is how the library holds limits.
const maxExactInteger = 1 << 53

// applyTag adds to the schema of a field what its tag schema:"key=value,…"
// says; Derive lists the keys. What no value could satisfy, or what the type
// does not know, is refused.
func (d *deriver) applyTag(s *JSONSchema, tag string) error {
	if tag == "" {
		return nil
	}
	for option := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(option, "=")
		if err := applyOption(s, key, value); err != nil {
			return fmt.Errorf("tag schema:%q: %s: %w", tag, key, err)
		}
	}
	if err := d.satisfiable(s); err != nil {
		return fmt.Errorf("tag schema:%q: %w", tag, err)
	}
	return nil
}

// tagKeys are the keys of a tag, with the types of JSON that they are of; nil is all.
var tagKeys = map[string][]string{
	"minimum": {"integer", "number"}, "maximum": {"integer", "number"},
	"minLength": {"string"}, "maxLength": {"string"}, "enum": {"string"},
	"minItems": {"array"}, "maxItems": {"array"}, "maxProperties": {"object"},
	"default": nil,
}

func applyOption(s *JSONSchema, key, value string) error {
	kinds, known := tagKeys[key]
	if !known {
		return fmt.Errorf("there is no such key; known are %s", strings.Join(slices.Sorted(maps.Keys(tagKeys)), ", "))
	}
	of := s
	switch key {
	case "minimum", "maximum", "minLength", "maxLength", "enum":
		of = elementOf(s)
	}
	if t := typeOfSchema(of); kinds != nil && !slices.Contains(kinds, t) {
		return fmt.Errorf("it is for %s, and the field is %s: leave it out, or change the type of the field",
			strings.Join(kinds, " or "), cmp.Or(t, "any JSON"))
	}
	switch key {
	case "minimum":
		return setLeast(&of.Minimum, value, exactFloat)
	case "maximum":
		return setMost(&of.Maximum, value, exactFloat)
	case "minLength":
		return setLeast(&of.MinLength, value, count)
	case "maxLength":
		return setMost(&of.MaxLength, value, count)
	case "minItems":
		return setLeast(&of.MinItems, value, count)
	case "maxItems":
		return setMost(&of.MaxItems, value, count)
	case "maxProperties":
		return setMost(&of.MaxProperties, value, count)
	case "enum":
		return setEnum(of, value)
	default:
		return setDefault(of, value)
	}
}

// typeOfSchema is the type of a value that is not null, or "" if any type is allowed.
func typeOfSchema(s *JSONSchema) string {
	if len(s.Types) > 0 {
		return s.Types[0] // setNull puts null behind it
	}
	return s.Type
}

// elementOf is the schema of the elements of a list or a map, or s itself.
func elementOf(s *JSONSchema) *JSONSchema {
	switch {
	case s.Items != nil:
		return elementOf(s.Items)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Not == nil:
		return elementOf(s.AdditionalProperties)
	default:
		return s
	}
}

// setLeast sets a lower bound. One that the type of the field has already can
// only be raised.
func setLeast[N int | float64](to **N, value string, parse func(string) (N, error)) error {
	n, err := parse(value)
	if err != nil {
		return err
	}
	if *to != nil && n < **to {
		return fmt.Errorf("%s is less than %v, the least that the type of the field takes", value, **to)
	}
	*to = &n
	return nil
}

// setMost sets an upper bound. One that the type of the field has already can
// only be lowered.
func setMost[N int | float64](to **N, value string, parse func(string) (N, error)) error {
	n, err := parse(value)
	if err != nil {
		return err
	}
	if *to != nil && n > **to {
		return fmt.Errorf("%s is more than %v, the most that the type of the field takes", value, **to)
	}
	*to = &n
	return nil
}

func exactFloat(value string) (float64, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is not a number", value)
	}
	if math.Abs(f) > maxExactInteger {
		return 0, fmt.Errorf("%s is too large to be exact", value)
	}
	return f, nil
}

func count(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a count", value)
	}
	return n, nil
}

func setEnum(s *JSONSchema, value string) error {
	if value == "" {
		return errors.New("it has no names: want enum=a|b")
	}
	names := enum(strings.Split(value, "|")...).Enum
	if slices.Contains(s.Types, "null") {
		names = append(names, nil)
	}
	for _, name := range names {
		if s.Enum != nil && !slices.Contains(s.Enum, name) {
			return fmt.Errorf("%q is none of the names of the field's type", name)
		}
	}
	s.Enum = names
	return nil
}

func setDefault(s *JSONSchema, value string) error {
	if typeOfSchema(s) == "string" {
		value = quoteJSON(value)
	}
	if !jsontext.Value(value).IsValid() {
		return fmt.Errorf("%s is not JSON", value)
	}
	s.Default = []byte(value)
	return nil
}

// satisfiable says what no value can satisfy of a schema with all of its tag.
func (d *deriver) satisfiable(s *JSONSchema) error {
	leaf := elementOf(s)
	switch {
	case above(leaf.Minimum, leaf.Maximum):
		return fmt.Errorf("no number is at least %v and at most %v: change one of them", *leaf.Minimum, *leaf.Maximum)
	case above(leaf.MinLength, leaf.MaxLength):
		return fmt.Errorf("no text has at least %d and at most %d characters: change one of them", *leaf.MinLength, *leaf.MaxLength)
	case above(s.MinItems, s.MaxItems):
		return fmt.Errorf("no list has at least %d and at most %d elements: change one of them", *s.MinItems, *s.MaxItems)
	}
	for _, name := range leaf.Enum {
		if name == nil {
			continue
		}
		quoted := quoteJSON(name.(string))
		if v := check(d.compile(leaf), []byte(quoted)); v != nil {
			return fmt.Errorf("the name %s is no value of the field: %s", quoted, v[0].Message)
		}
	}
	if s.Default == nil {
		return nil
	}
	if v := check(d.compile(s), jsontext.Value(s.Default)); v != nil {
		return fmt.Errorf("the default %s is no value of the field: %s", s.Default, v[0].Message)
	}
	return nil
}

func above[N int | float64](least, most *N) bool {
	return least != nil && most != nil && *least > *most
}

func quoteJSON(text string) string {
	quoted, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 is replaced
	return string(quoted)
}

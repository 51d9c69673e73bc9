package executor

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// typeKey makes the key of a task of its input.
type typeKey struct {
	inputType reflect.Type
	of        func(*schema.Schema, jsontext.Value) (string, error)
}

// Group is the group of a task whose submit names none.
func Group(name string) TypeOption { return func(t *Type) { t.group = name } }

// Key makes the key of a task whose submit gives none: tasks of one key run one at a time. In is
// that of Define. f is called when a task is submitted, by many goroutines; it must not block. The
// empty text is no key. The key is stored and shown, so it must have no part of a Secret. A submit is
// refused where f panics, or where the key is longer than MaxNameBytes or not UTF-8.
func Key[In any](f func(In) string) TypeOption {
	of := func(s *schema.Schema, input jsontext.Value) (key string, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the function that makes the key of the input has panicked: %v", p)
			}
		}()
		var in In
		if err := s.Unmarshal(input, &in); err != nil {
			return "", fmt.Errorf("decode the input: %w", err)
		}
		return f(in), nil
	}
	return func(t *Type) { t.key = &typeKey{reflect.TypeFor[In](), of} }
}

// withDefaults adds the conditions that the type gives where a submit says nothing of them.
func (t *Type) withDefaults(c schema.Conditions, input jsontext.Value) (schema.Conditions, error) {
	if c.Retry == nil {
		c.Retry = t.retry
	}
	if c.Group == "" {
		c.Group = t.group
	}
	if c.Key != "" || t.key == nil {
		return c, nil
	}
	key, err := t.key.of(t.input, input)
	if err != nil {
		return c, &InputError{What: "input", Violations: []schema.Violation{{Message: err.Error()}}}
	}
	c.Key = key
	return c, nil
}

// hasConditions reports whether the type gives its tasks conditions.
func (t *Type) hasConditions() bool { return t.retry != nil || t.group != "" || t.key != nil }

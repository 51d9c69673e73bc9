package executor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// Type is a named, typed task definition. It is a value: any number of
// executors may offer it. Make one with Define.
type Type struct {
	name        string
	aliases     []string
	description string
	source      string
	timeout     time.Duration
	grace       *time.Duration
	limit       int
	ownStart    bool
	idempotent  bool
	containment func() string
	secrets     []secretMember
	retry       *schema.Retry
	group       string
	key         *typeKey
	inputType   reflect.Type
	input       *schema.Schema
	result      *schema.Schema
	// emptyInput and emptyResult remember what validation says of {}, which is
	// by far the commonest value.
	emptyInput  []schema.Violation
	emptyResult []schema.Violation
	run         func(ctx context.Context, input jsontext.Value) (jsontext.Value, error)
}

// TypeOption sets something about a Type.
type TypeOption func(*Type)

// Describe says in a sentence what the type does.
func Describe(text string) TypeOption { return func(t *Type) { t.description = text } }

// Alias adds names that submit takes for the type.
func Alias(names ...string) TypeOption {
	return func(t *Type) { t.aliases = append(t.aliases, names...) }
}

// Timeout bounds each attempt of a task that was submitted without timeoutMs.
func Timeout(d time.Duration) TypeOption { return func(t *Type) { t.timeout = d } }

// Grace is how long a task may go on after it was told to stop, where the
// submit does not say.
func Grace(d time.Duration) TypeOption { return func(t *Type) { t.grace = &d } }

// Limit bounds how many tasks of the type run at once in one process, within
// the executor's own limit.
func Limit(n int) TypeOption { return func(t *Type) { t.limit = n } }

// Source says where the type comes from; "program" unless said.
func Source(name string) TypeOption { return func(t *Type) { t.source = name } }

// Idempotent says that running a task twice does what running it once does:
// one that ran when the process died is run again in the next. Without it such
// a task fails, as interrupted, unless its submit says otherwise.
func Idempotent() TypeOption { return func(t *Type) { t.idempotent = true } }

// Retry says whether and when a task is tried again after an attempt that has failed, where the
// submit does not say.
func Retry(policy schema.Retry) TypeOption { return func(t *Type) { t.retry = &policy } }

// StartsItself leaves it to the code to call Started. Without it a task has
// started when its code is called.
func StartsItself() TypeOption { return func(t *Type) { t.ownStart = true } }

// Contains says that tasks of the type start processes, and which of the ways of
// schema.StatsResult.Containment keeps those together. f is called for each
// Executor.Containment, by many goroutines.
func Contains(f func() string) TypeOption { return func(t *Type) { t.containment = f } }

// typeNamePattern is what isTypeName accepts, as messages show it. It is not
// compiled: each program would do that at its start, with 860 allocations.
const typeNamePattern = `^[A-Za-z][A-Za-z0-9_.-]{0,63}$`

func isTypeName(name string) bool {
	if len(name) == 0 || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '_' || c == '.' || c == '-')) {
			return false
		}
	}
	return true
}

// Define makes a task type of a function. The JSON Schemas of its input and
// result are derived from In and Out: a field is required unless it is
// omitzero or omitempty, the tag jsonschema:"…" describes it, and members that
// In does not have are refused. Input is checked when a task is submitted,
// the result when it has run. What is admitted can be decoded: a type of which
// a schema would be untrue is an error, and schema.Derive lists these. In an
// any, a number that a float64 cannot hold is a jsontext.Value with its text.
//
// The tag schema:"key=value,…" sets limits that a Go type cannot say:
//
//	minimum, maximum              of a number
//	minLength, maxLength          of a string, in characters
//	enum                          the strings to take, as enum=red|green
//	minItems, maxItems            of a slice
//	maxProperties                 of a map
//	default                       what the schema tells; the function sees zero
//
// Those of numbers and strings are, on a slice or a map, of its elements. A
// key that the field cannot have, or that leaves no value, is an error.
//
// The function is called on a worker. It should return soon after its context
// ends, with the context's error or one of its own; it may report with
// Report, write with Output, and panic: that fails the task and nothing else.
func Define[In, Out any](name string, run func(context.Context, In) (Out, error), options ...TypeOption) (Type, error) {
	if run == nil {
		return Type{}, fmt.Errorf("task type %q: the function is nil: give the code that runs a task", name)
	}
	input, err := schema.Derive[In]()
	if err != nil {
		return Type{}, fmt.Errorf("task type %q: input: %w", name, err)
	}
	result, err := schema.Derive[Out]()
	if err != nil {
		return Type{}, fmt.Errorf("task type %q: result: %w", name, err)
	}
	t := Type{name: name, source: "program", input: input, result: result, inputType: reflect.TypeFor[In](), run: erase(input, run)}
	for _, set := range options {
		set(&t)
	}
	t.emptyInput = input.Validate(emptyObject)
	t.emptyResult = result.Validate(emptyObject)
	return t, t.check()
}

// MustDefine is Define for package-level and main code: it panics where
// Define would return an error.
func MustDefine[In, Out any](name string, run func(context.Context, In) (Out, error), options ...TypeOption) Type {
	t, err := Define(name, run, options...)
	if err != nil {
		panic(err)
	}
	return t
}

// Name is the name of the type.
func (t Type) Name() string { return t.name }

// Info describes the type as the method types does.
func (t Type) Info() schema.TypeInfo {
	return schema.TypeInfo{
		Name: t.name, Aliases: t.aliases, Description: t.description, Source: t.source,
		Idempotent:  t.idempotent,
		InputSchema: t.input.Raw(), ResultSchema: t.result.Raw(),
	}
}

func (t Type) check() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("task type %q: "+format, append([]any{t.name}, args...)...))
	}
	taken := map[string]bool{}
	for i, name := range append([]string{t.name}, t.aliases...) {
		switch {
		case !isTypeName(name):
			refuse("the name %q does not match %s", name, typeNamePattern)
		case i > 0 && name == t.name:
			refuse("the alias %q is its name: leave it out", name)
		case taken[name]:
			refuse("the alias %q is given twice: leave one out", name)
		}
		taken[name] = true
	}
	for _, m := range t.secrets {
		if !t.input.Knows(m.name) {
			refuse("the input has no member %q that could be secret", m.name)
		}
	}
	var wrong violations
	wrong.retry(t.retry)
	wrong.name("group", t.group)
	for _, v := range wrong {
		refuse("%s: %s", strings.TrimPrefix(v.Pointer, "/"), v.Message)
	}
	if t.key != nil && t.key.inputType != t.inputType {
		refuse("the function of Key takes a %v, and the input is a %v: give both the same type", t.key.inputType, t.inputType)
	}
	if t.limit < 0 {
		refuse("a limit of %d: 0 is none, 1 or more is one", t.limit)
	}
	if t.timeout < 0 {
		refuse("a time-out of %v is below zero: 0 is none", t.timeout)
	}
	if t.grace != nil && *t.grace < 0 {
		refuse("a grace of %v is below zero: 0 is none", *t.grace)
	}
	return errors.Join(errs...)
}

var emptyObject = jsontext.Value("{}")

func isEmptyObject(v []byte) bool { return string(v) == "{}" }

func (t *Type) checkInput(input jsontext.Value) []schema.Violation {
	if isEmptyObject(input) {
		return t.emptyInput
	}
	return t.input.Validate(input)
}

func (t *Type) checkResult(result jsontext.Value) []schema.Violation {
	if isEmptyObject(result) {
		return t.emptyResult
	}
	return t.result.Validate(result)
}

// erase leaves one closure of the types: JSON in, JSON out.
func erase[In, Out any](input *schema.Schema, run func(context.Context, In) (Out, error)) func(context.Context, jsontext.Value) (jsontext.Value, error) {
	emptyIn, emptyOut := memberless[In](), memberless[Out]()
	return func(ctx context.Context, raw jsontext.Value) (jsontext.Value, error) {
		var in In
		if !emptyIn {
			if err := input.Unmarshal(raw, &in); err != nil {
				return nil, fmt.Errorf("decode the input: %w", err)
			}
		}
		out, err := run(ctx, in)
		if err != nil {
			return nil, err
		}
		if emptyOut {
			return emptyObject, nil
		}
		result, err := json.Marshal(out)
		if err != nil {
			return nil, &Failure{schema.TaskError{
				Kind: schema.KindInvalidResult, Message: "the result cannot be JSON: " + err.Error(),
			}}
		}
		return result, nil
	}
}

// memberless reports whether a type is a struct without fields or methods: it
// is {} and nothing else.
func memberless[T any]() bool {
	t := reflect.TypeFor[T]()
	return t.Kind() == reflect.Struct && t.NumField() == 0 && t.NumMethod() == 0 && reflect.PointerTo(t).NumMethod() == 0
}

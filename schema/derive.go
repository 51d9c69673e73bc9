package schema

import (
	"encoding"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
)

// The formats that this package writes and checks.
const (
	formatTime   = "date-time"
	formatUUID   = "uuid"
	formatInt64  = "int64"
	formatUint64 = "uint64"
	formatFloat  = "float"
	formatDouble = "double"

	encodingBase64 = "base64"
)

const uuidPattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

type typeSchemas = map[reflect.Type]*jsonschema.Schema

// wireTypes are the schemas of types whose kind does not tell what they are on
// the wire.
var wireTypes = typeSchemas{
	reflect.TypeFor[Time]():               {Type: "string", Format: formatTime},
	reflect.TypeFor[time.Time]():          {Type: "string", Format: formatTime},
	reflect.TypeFor[uuid.UUID]():          {Type: "string", Format: formatUUID, Pattern: uuidPattern},
	reflect.TypeFor[jsontext.Value]():     {},
	reflect.TypeFor[stdjson.RawMessage](): {},
	reflect.TypeFor[State]():              enum(StateNames[:]...),
	reflect.TypeFor[Stream]():             enum(StreamNames[:]...),
	reflect.TypeFor[ErrorKind](): enum(KindTaskError, KindExit, KindSignal, KindSpawn, KindTimeout,
		KindPanic, KindInvalidResult, KindInterrupted, KindCancelled),
	reflect.TypeFor[CancelOutcome](): enum(OutcomeCancelled, OutcomeCancelling, OutcomeAlreadyFinished),
	reflect.TypeFor[ShutdownMode]():  enum(ShutdownDrain, ShutdownFinish, ShutdownCancel),
	reflect.TypeFor[WaitUntil]():     enum(UntilAll, UntilAny),
	reflect.TypeFor[ListOrder]():     enum(NewestFirst, OldestFirst),
	reflect.TypeFor[Encoding]():      enum(EncodingUTF8, EncodingBase64),
}

func enum[S ~string](names ...S) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, name := range names {
		s.Enum = append(s.Enum, string(name))
	}
	return s
}

// derive makes the schema of a type, given those of some types. The library
// knows Go's kinds; what the JSON package does otherwise is added before
// (visit) and after (refine).
func derive(t reflect.Type, known typeSchemas) (*jsonschema.Schema, error) {
	d := deriver{known: maps.Clone(known), seen: map[reflect.Type]bool{}}
	if err := d.visit(t); err != nil {
		return nil, err
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: d.known})
	if err != nil {
		return nil, fmt.Errorf("infer: %w", err)
	}
	return s, d.refine(t, s, false)
}

type deriver struct {
	known typeSchemas
	seen  map[reflect.Type]bool
}

var (
	durationType = reflect.TypeFor[time.Duration]()

	jsonMarshalers = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler]()}
	textMarshalers = []reflect.Type{reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()}
)

// visit goes through all that t is made of, refuses what has no schema, and
// adds to known the types that are strings on the wire.
func (d *deriver) visit(t reflect.Type) error {
	t = indirect(t)
	if d.known[t] != nil || d.seen[t] {
		return nil
	}
	d.seen[t] = true
	switch {
	case t == durationType:
		return errors.New("time.Duration has no JSON form: use an int64 of milliseconds")
	case implements(t, jsonMarshalers):
		return fmt.Errorf("%v writes its own JSON, which cannot be known: use a struct, a type with MarshalText, or jsontext.Value", t)
	case implements(t, textMarshalers):
		d.known[t] = &jsonschema.Schema{Type: "string"}
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && !implements(t.Elem(), textMarshalers) {
			d.known[t] = bytesSchema(t)
			return nil
		}
		return d.visit(t.Elem())
	case reflect.Map:
		return d.visit(t.Elem())
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%v cannot be decoded: use a struct or jsontext.Value", t)
		}
	case reflect.Struct:
		return d.visitFields(t)
	}
	return nil
}

func (d *deriver) visitFields(t reflect.Type) error {
	fields, err := fieldsOf(t)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if err := d.visit(f.Type); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func implements(t reflect.Type, one []reflect.Type) bool {
	return slices.ContainsFunc(one, reflect.PointerTo(t).Implements)
}

// bytesSchema is of a slice or an array of bytes, which are base64.
func bytesSchema(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", ContentEncoding: encodingBase64}
	if t.Kind() == reflect.Array {
		n := base64.StdEncoding.EncodedLen(t.Len())
		s.MinLength, s.MaxLength = &n, &n
	}
	return s
}

// field is a field of a struct, or one promoted from an embedded struct.
type field struct {
	reflect.StructField
	member   string
	optional bool
}

// fieldsOf lists what is written of a struct. It refuses what the inference
// and the JSON package take for different things.
func fieldsOf(t reflect.Type) ([]field, error) {
	fields, err := appendFields(nil, t)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range fields {
		if names["."+f.Name] || names[f.member] {
			return nil, fmt.Errorf("%v has two fields named %s or members named %q", t, f.Name, f.member)
		}
		names["."+f.Name], names[f.member] = true, true
	}
	return fields, nil
}

func appendFields(fields []field, t reflect.Type) ([]field, error) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup("json")
		name, rest, _ := strings.Cut(tag, ",")
		options := strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ':' })
		switch {
		case sf.Anonymous && (tagged || sf.Type.Kind() != reflect.Struct || implements(sf.Type, jsonMarshalers) || implements(sf.Type, textMarshalers)):
			return nil, fmt.Errorf("embedded field %s: only a plain struct without a json tag can be embedded", sf.Name)
		case sf.Anonymous:
			var err error
			if fields, err = appendFields(fields, sf.Type); err != nil {
				return nil, err
			}
			continue
		case tag == "-" || !sf.IsExported() && !tagged:
			continue
		case !sf.IsExported():
			return nil, fmt.Errorf("field %s has a json tag and is not exported", sf.Name)
		}
		for _, refused := range []string{"string", "format", "embed"} {
			if slices.Contains(options, refused) {
				return nil, fmt.Errorf("field %s: a schema cannot follow the json option %q", sf.Name, refused)
			}
		}
		if name == "" {
			name = sf.Name
		}
		optional := slices.Contains(options, "omitzero") || slices.Contains(options, "omitempty")
		fields = append(fields, field{sf, name, optional})
	}
	return fields, nil
}

// refine corrects the schema s of t: null, formats of numbers, tags. A nil
// slice or map is written as empty, never as null; a nil pointer is null
// unless it can be omitted.
func (d *deriver) refine(t reflect.Type, s *jsonschema.Schema, optional bool) error {
	setNull(s, t.Kind() == reflect.Pointer && !optional)
	t = indirect(t)
	if d.known[t] != nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		s.Format = formatInt64
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		s.Format = formatUint64
	case reflect.Float32:
		s.Format = formatFloat
	case reflect.Float64:
		s.Format = formatDouble
	case reflect.Slice, reflect.Array:
		return d.refine(t.Elem(), s.Items, false)
	case reflect.Map:
		return d.refine(t.Elem(), s.AdditionalProperties, false)
	case reflect.Struct:
		fields, err := fieldsOf(t)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if err := d.refine(f.Type, s.Properties[f.member], f.optional); err != nil {
				return err
			}
			if err := applyTag(s.Properties[f.member], f.Tag.Get("schema")); err != nil {
				return fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
	}
	return nil
}

// setNull makes null a type of s or not. A schema without a type takes null anyway.
func setNull(s *jsonschema.Schema, null bool) {
	types := s.Types
	if s.Type != "" {
		types = []string{s.Type}
	}
	types = slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "null" })
	s.Type, s.Types = "", nil
	switch {
	case len(types) == 0:
	case null:
		s.Types = append(types, "null")
		if s.Enum != nil {
			s.Enum = append(slices.Clone(s.Enum), nil)
		}
	default:
		s.Type = types[0]
	}
}

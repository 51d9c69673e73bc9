package schema

import (
	"encoding"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// The patterns are for other validators, which take a format for a comment or
// more broadly than the decoder does.
const (
	uuidPattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
	timePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`

	base64Quanta   = "^([A-Za-z0-9+/]{4})*"
	base64OneByte  = "[A-Za-z0-9+/][AQgw]=="
	base64TwoBytes = "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="
)

type typeSchemas = map[reflect.Type]*JSONSchema

// wireTypes are the schemas of types whose kind does not tell what they are on
// the wire.
var wireTypes = typeSchemas{
	reflect.TypeFor[Time]():               {Type: "string", Format: formatTime, Pattern: timePattern},
	reflect.TypeFor[time.Time]():          {Type: "string", Format: formatTime, Pattern: timePattern},
	reflect.TypeFor[uuid.UUID]():          {Type: "string", Format: formatUUID, Pattern: uuidPattern},
	reflect.TypeFor[jsontext.Value]():     {},
	reflect.TypeFor[stdjson.RawMessage](): {},
	reflect.TypeFor[State]():              enum(StateNames[:]...),
	reflect.TypeFor[Stream]():             enum(StreamNames[:]...),
	reflect.TypeFor[ErrorKind]():          enum(ErrorKinds[:]...),
	reflect.TypeFor[CancelOutcome]():      enum(OutcomeCancelled, OutcomeCancelling, OutcomeAlreadyFinished),
	reflect.TypeFor[ShutdownMode]():       enum(ShutdownDrain, ShutdownFinish, ShutdownCancel),
	reflect.TypeFor[ShutdownScope]():      enum(ScopeConnection, ScopeExecutor),
	reflect.TypeFor[OutputDelivery]():     enum(OutputNewest, OutputLossless),
	reflect.TypeFor[OnDisconnect]():       enum(OnDisconnectKeep, OnDisconnectCancel),
	reflect.TypeFor[WaitUntil]():          enum(UntilAll, UntilAny),
	reflect.TypeFor[ListOrder]():          enum(NewestFirst, OldestFirst),
	reflect.TypeFor[Signal]():             enum(Signals[:]...),
	reflect.TypeFor[WaitingKind]():        enum(WaitingKinds[:]...),
	reflect.TypeFor[OverlapPolicy]():      enum(OverlapSkip, OverlapQueue, OverlapReplace),
	reflect.TypeFor[MissedPolicy]():       enum(MissedSkip, MissedOne, MissedAll),
	reflect.TypeFor[DedupeOn]():           enum(DedupeOns[:]...),
	reflect.TypeFor[Encoding]():           enum(EncodingUTF8, EncodingBase64),
}

func enum[S ~string](names ...S) *JSONSchema {
	s := &JSONSchema{Type: "string"}
	for _, name := range names {
		s.Enum = append(s.Enum, string(name))
	}
	return s
}

// deriver makes the schemas of Go types as the JSON package writes and reads
// them. It refuses every type for which a schema would be wrong.
type deriver struct {
	known typeSchemas
	// reads has a function for each schema whose keywords do not express all rules
	// for a text. The function answers what is wanted, or "".
	reads map[*JSONSchema]func(text []byte) string
	// within are the types that are being derived: one in itself is a cycle.
	within []reflect.Type
	// hasAny is true once a type has a value that may be anything.
	hasAny bool
}

func newDeriver(known typeSchemas) *deriver {
	return &deriver{known: known, reads: map[*JSONSchema]func([]byte) string{}}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[Time]()

	jsonMethods = []reflect.Type{
		reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler](),
		reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[json.Unmarshaler](),
	}
	textWriters = []reflect.Type{reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()}
	textReaders = []reflect.Type{reflect.TypeFor[encoding.TextUnmarshaler]()}
)

// of makes the schema of a type. Null is a value of it only where t is a pointer.
func (d *deriver) of(t reflect.Type) (*JSONSchema, error) {
	if s := d.known[t]; s != nil {
		s = s.clone()
		if t == timeType {
			d.reads[s] = readsTime
		}
		return s, nil
	}
	if slices.Contains(d.within, t) {
		return nil, fmt.Errorf("cycle: %v contains itself, which has no schema: use jsontext.Value for the inner one", t)
	}
	d.within = append(d.within, t)
	defer func() { d.within = d.within[:len(d.within)-1] }()
	switch t.Kind() {
	case reflect.Pointer:
		s, err := d.of(t.Elem())
		if err == nil {
			allowNull(s)
		}
		return s, err
	case reflect.Interface:
		return d.ofInterface(t)
	}
	writes, reads := implements(t, textWriters), implements(t, textReaders)
	switch {
	case implements(t, jsonMethods):
		return nil, fmt.Errorf("%v writes or reads its own JSON, which cannot be known: use a struct, a type with MarshalText and UnmarshalText, or jsontext.Value", t)
	case writes && reads:
		return d.ofText(t), nil
	case writes:
		return nil, fmt.Errorf("%v has MarshalText and no UnmarshalText, so it cannot be read as it is written: add UnmarshalText, or use a string", t)
	case reads:
		return nil, fmt.Errorf("%v has UnmarshalText and no MarshalText, so it is not written as it is read: add MarshalText, or use a string", t)
	}
	return d.ofKind(t)
}

func (d *deriver) ofKind(t reflect.Type) (*JSONSchema, error) {
	switch t.Kind() {
	case reflect.Bool:
		return &JSONSchema{Type: "boolean"}, nil
	case reflect.String:
		return &JSONSchema{Type: "string"}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if t == durationType {
			return nil, errors.New("time.Duration has no JSON form: use an int64 of milliseconds")
		}
		return ofInt(t.Bits()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return ofUint(t.Bits()), nil
	case reflect.Float32:
		return &JSONSchema{Type: "number", Format: formatFloat}, nil
	case reflect.Float64:
		return &JSONSchema{Type: "number", Format: formatDouble}, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Elem().PkgPath() == "" { // of a type with a name it is an array of numbers
			return d.ofBytes(t), nil
		}
		return d.ofList(t)
	case reflect.Map:
		return d.ofMap(t)
	case reflect.Struct:
		return d.ofStruct(t)
	default:
		return nil, fmt.Errorf("%v is unsupported: JSON has no %v", t, t.Kind())
	}
}

func implements(t reflect.Type, one []reflect.Type) bool {
	return slices.ContainsFunc(one, reflect.PointerTo(t).Implements)
}

func (d *deriver) ofInterface(t reflect.Type) (*JSONSchema, error) {
	if t.NumMethod() > 0 {
		return nil, fmt.Errorf("%v cannot be decoded: use a struct or jsontext.Value", t)
	}
	d.hasAny = true
	return &JSONSchema{}, nil
}

func ofInt(bits int) *JSONSchema {
	if bits == 64 {
		return &JSONSchema{Type: "integer", Format: formatInt64}
	}
	most := math.Ldexp(1, bits-1)
	return &JSONSchema{Type: "integer", Minimum: new(-most), Maximum: new(most - 1)}
}

func ofUint(bits int) *JSONSchema {
	s := &JSONSchema{Type: "integer", Minimum: new(0.0)}
	if bits == 64 {
		s.Format = formatUint64
	} else {
		s.Maximum = new(math.Ldexp(1, bits) - 1)
	}
	return s
}

// readsTime says what is wanted where a text has the form of a time, but an offset that puts it into
// a year that Time does not write.
func readsTime(text []byte) (want string) {
	if new(Time).UnmarshalText(text) != nil {
		return "a time within the years 0 to 9999 in UTC"
	}
	return ""
}

// formed is a type that says what its texts are, for a person.
type formed interface{ form() string }

// ofText is of a type with a text form. Only the type knows which texts it
// reads.
func (d *deriver) ofText(t reflect.Type) *JSONSchema {
	s := &JSONSchema{Type: "string"}
	form := "a text that " + t.String() + " reads"
	if f, ok := reflect.Zero(t).Interface().(formed); ok {
		form = f.form()
	}
	d.reads[s] = func(text []byte) (want string) {
		want = form
		defer func() { _ = recover() }() // of a text that the type cannot read, and did not expect
		if reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText(slices.Clip(text)) == nil {
			want = ""
		}
		return want
	}
	return s
}

// ofBytes is of a slice or an array of bytes, which are base64.
func (d *deriver) ofBytes(t reflect.Type) *JSONSchema {
	s := &JSONSchema{Type: "string", ContentEncoding: encodingBase64}
	if t.Kind() == reflect.Slice {
		s.Pattern = base64Quanta + "(" + base64OneByte + "|" + base64TwoBytes + ")?$"
		return s
	}
	length := base64.StdEncoding.EncodedLen(t.Len())
	s.MinLength, s.MaxLength = new(length), new(length)
	s.Pattern = base64Quanta + [...]string{"", base64OneByte, base64TwoBytes}[t.Len()%3] + "$"
	d.reads[s] = func(text []byte) string {
		n, err := base64.StdEncoding.Decode(make([]byte, base64.StdEncoding.DecodedLen(len(text))), text)
		if err == nil && n == t.Len() {
			return ""
		}
		return counted(t.Len(), "byte") + " in base64"
	}
	return s
}

func (d *deriver) ofList(t reflect.Type) (*JSONSchema, error) {
	items, err := d.of(t.Elem())
	if err != nil {
		return nil, err
	}
	s := &JSONSchema{Type: "array", Items: items}
	if t.Kind() == reflect.Array {
		s.MinItems, s.MaxItems = new(t.Len()), new(t.Len())
	}
	return s, nil
}

// ofMap accepts only strings as keys. Other keys may have several spellings, and a
// schema cannot say that only one of them may be present. Or they have texts that the
// schema cannot know.
func (d *deriver) ofMap(t reflect.Type) (*JSONSchema, error) {
	key := t.Key()
	if key.Kind() != reflect.String || implements(key, slices.Concat(jsonMethods, textWriters, textReaders)) {
		return nil, fmt.Errorf("the map key %v is no plain string: use map[string]%v", key, t.Elem())
	}
	others, err := d.of(t.Elem())
	if err != nil {
		return nil, err
	}
	return &JSONSchema{Type: "object", AdditionalProperties: others}, nil
}

// allowNull makes null a value of s. A schema without a type takes null anyway.
func allowNull(s *JSONSchema) {
	if s.Type == "" {
		return
	}
	s.Types, s.Type = []string{s.Type, "null"}, ""
	if s.Enum != nil {
		s.Enum = append(slices.Clone(s.Enum), nil)
	}
}

// forbidNull undoes allowNull.
func forbidNull(s *JSONSchema) {
	if s.Types == nil {
		return
	}
	s.Type, s.Types = s.Types[0], nil
	s.Enum = slices.DeleteFunc(s.Enum, func(name any) bool { return name == nil })
}

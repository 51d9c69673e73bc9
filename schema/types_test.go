package schema

import (
	stdjson "encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// goTypes draws Go types as authors of task types may write them, and values
// of these.

type (
	namedString string
	// Base can be embedded by reflect.StructOf, which takes exported types alone.
	Base struct {
		Path string `json:"path"`
		More *int   `json:"more,omitzero"`
	}
	// mixed has what reflect.StructOf cannot make.
	mixed struct {
		base
		inner `json:"inner,omitempty"`
		_     int
		Path2 **string `json:"path2,omitzero"`
		Gone  func()   `json:"-"`
	}
	onlyIgnored struct {
		N int `json:"-"`
	}
	folded struct {
		FooBar int `json:"fooBar,case:ignore"`
	}
)

// plainTypes are those that have a schema and are made of no others.
var plainTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[namedString](), reflect.TypeFor[stdjson.Number](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[namedByte](), reflect.TypeFor[namedBytes](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[[0]byte](), reflect.TypeFor[[1]byte](), reflect.TypeFor[[3]byte](), reflect.TypeFor[[5]byte](),
	reflect.TypeFor[Time](), reflect.TypeFor[time.Time](), reflect.TypeFor[uuid.UUID](), reflect.TypeFor[State](), reflect.TypeFor[ErrorKind](),
	reflect.TypeFor[jsontext.Value](), reflect.TypeFor[stdjson.RawMessage](), reflect.TypeFor[any](),
	reflect.TypeFor[textual](), reflect.TypeFor[netip.Addr](),
	reflect.TypeFor[struct{}](), reflect.TypeFor[Base](), reflect.TypeFor[mixed](), reflect.TypeFor[onlyIgnored](), reflect.TypeFor[folded](),
}

// refusedTypes have no schema, whatever they are in.
var refusedTypes = []reflect.Type{
	reflect.TypeFor[time.Duration](), reflect.TypeFor[big.Int](), reflect.TypeFor[writesText](), reflect.TypeFor[readsText](),
	reflect.TypeFor[readsJSON](), reflect.TypeFor[looping](), reflect.TypeFor[error](), reflect.TypeFor[complex64](),
	reflect.TypeFor[struct{ n int }](), reflect.TypeFor[map[int]bool](), reflect.TypeFor[map[State]bool](), reflect.TypeFor[map[uuid.UUID]bool](),
	reflect.TypeFor[map[bool]bool](), reflect.TypeFor[struct{ *Base }](),
}

func drawType(t *rapid.T, depth int) reflect.Type {
	if depth == 0 {
		return rapid.SampledFrom(plainTypes).Draw(t, "plain")
	}
	switch rapid.IntRange(0, 9).Draw(t, "of") {
	case 0:
		return reflect.PointerTo(drawType(t, depth-1))
	case 1:
		return reflect.SliceOf(drawType(t, depth-1))
	case 2:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "length"), drawType(t, depth-1))
	case 3:
		key := rapid.SampledFrom([]reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[namedString]()}).Draw(t, "key")
		return reflect.MapOf(key, drawType(t, depth-1))
	case 4:
		return rapid.SampledFrom(plainTypes).Draw(t, "plain")
	default:
		return drawStruct(t, depth)
	}
}

func drawStruct(t *rapid.T, depth int) reflect.Type {
	var fields []reflect.StructField
	if rapid.IntRange(0, 3).Draw(t, "embed") == 0 {
		fields = append(fields, reflect.StructField{Name: "Base", Anonymous: true, Type: reflect.TypeFor[Base]()})
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "fields") {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: drawType(t, depth-1),
			Tag: reflect.StructTag(strings.ReplaceAll(rapid.SampledFrom([]string{
				``, `json:"f%d"`, `json:"f%d"`, `json:"<\u2028~/%d>"`, `json:",omitzero"`, `json:",omitempty"`, `json:"f%d,omitzero"`,
				`json:"f%d,omitempty"`, `json:"f%d,omitzero,omitempty"`, `json:"-"`, `json:"f%d,case:strict"`, `json:"f%d,omitzero,later"`,
			}).Draw(t, "tag"), "%d", strconv.Itoa(i))),
		})
	}
	return reflect.StructOf(fields)
}

// drawInto sets v to any value that JSON has a form for.
func drawInto(t *rapid.T, v reflect.Value) {
	if set := special[v.Type()]; set != nil {
		v.Set(reflect.ValueOf(set(t)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case reflect.Float32:
		v.SetFloat(float64(rapid.Float32().Draw(t, "float32")))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "float64"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "nil") {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		drawInto(t, v.Elem())
	case reflect.Slice:
		n := rapid.IntRange(-1, 3).Draw(t, "length")
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			drawInto(t, v.Index(i))
		}
	case reflect.Map:
		if rapid.Bool().Draw(t, "nil") {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, "entries") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			drawInto(t, key)
			drawInto(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" {
				drawInto(t, v.Field(i))
			}
		}
	}
}

// special draws values of types whose kind does not tell what they may be.
var special = map[reflect.Type]func(*rapid.T) any{
	reflect.TypeFor[Time](): func(t *rapid.T) any {
		return Time(rapid.Int64Range(-62_000_000_000_000_000, 253_000_000_000_000_000).Draw(t, "time"))
	},
	reflect.TypeFor[time.Time](): func(t *rapid.T) any {
		at := time.Unix(rapid.Int64Range(-62_000_000_000, 253_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		return at.In(time.FixedZone("", rapid.IntRange(-23*60, 23*60).Draw(t, "minutes")*60))
	},
	reflect.TypeFor[State]():     func(t *rapid.T) any { return State(rapid.IntRange(0, len(StateNames)-1).Draw(t, "state")) },
	reflect.TypeFor[ErrorKind](): func(t *rapid.T) any { return rapid.SampledFrom([]ErrorKind{KindExit, KindPanic}).Draw(t, "kind") },
	reflect.TypeFor[textual]():   func(t *rapid.T) any { return textual{rapid.StringMatching(`[a-z]{2}`).Draw(t, "text")} },
	reflect.TypeFor[netip.Addr](): func(t *rapid.T) any {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
	},
	reflect.TypeFor[jsontext.Value]():     func(t *rapid.T) any { return drawRaw(t) },
	reflect.TypeFor[stdjson.RawMessage](): func(t *rapid.T) any { return stdjson.RawMessage(drawRaw(t)) },
	reflect.TypeFor[any](): func(t *rapid.T) any {
		return rapid.OneOf(rapid.Just[any](map[string]any{"a": []any{nil, true, "x", 1.5}}), rapid.Just[any](""),
			rapid.Custom(func(t *rapid.T) any { return rapid.Float64().Draw(t, "float") }),
			rapid.Custom(func(t *rapid.T) any { return drawRaw(t) })).Draw(t, "any")
	},
}

func drawRaw(t *rapid.T) jsontext.Value {
	return jsontext.Value(rapid.SampledFrom([]string{
		"null", "{}", `{"a":[9007199254740993,1e400]}`, "[]", "1e-400", "0.1", `""`, "true", "18446744073709551616",
	}).Draw(t, "raw"))
}

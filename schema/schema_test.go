package schema

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func mustDerive[T any](t testing.TB) *Schema {
	s, err := Derive[T]()
	require.NoError(t, err)
	return s
}

type base struct {
	Path string `json:"path"`
}

// textual reads texts of two characters.
type textual struct{ s string }

func (t textual) MarshalText() ([]byte, error) { return []byte(t.s), nil }

func (t *textual) UnmarshalText(text []byte) error {
	if t.s = string(text[:2]); len(text) > 2 { // it panics where there are less
		return errors.New("too long")
	}
	return nil
}

type textKey string

func (k textKey) MarshalText() ([]byte, error) { return []byte(k), nil }

func (k *textKey) UnmarshalText(text []byte) error { *k = textKey(text); return nil }

type writesText struct{}

func (writesText) MarshalText() ([]byte, error) { return nil, nil }

type readsText struct{}

func (*readsText) UnmarshalText([]byte) error { return nil }

type readsJSON struct{ N int }

func (*readsJSON) UnmarshalJSON([]byte) error { return nil }

type namedByte uint8

type namedBytes []byte

type selfPointer *selfPointer

type ownJSON struct{}

func (ownJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type looping struct{ Next *looping }

type unnamed struct{ N int }

func (unnamed) MarshalText() ([]byte, error) { return nil, nil }

func (unnamed) UnmarshalText([]byte) error { return nil }

// schemaOf is the schema of T; every one names its dialect.
func schemaOf[T any](t *testing.T) string {
	var members map[string]jsontext.Value
	require.NoError(t, json.Unmarshal(mustDerive[T](t).Raw(), &members))
	require.Equal(t, `"`+dialect+`"`, string(members["$schema"]))
	delete(members, "$schema")
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

func TestDerive(t *testing.T) {
	object := func(member string) string {
		return `{"type":"object","properties":{"x":` + member + `},"required":["x"],"additionalProperties":false}`
	}
	optional := func(member string) string {
		return `{"type":"object","properties":{"x":` + member + `},"additionalProperties":false}`
	}
	for name, c := range map[string]struct{ got, want string }{
		"nothing": {schemaOf[Empty](t), `{"type":"object","additionalProperties":false}`},
		"any":     {schemaOf[jsontext.Value](t), `{}`},
		"described": {schemaOf[struct {
			X string `json:"x" jsonschema:"the unknown, as ever"`
		}](t), object(`{"type":"string","description":"the unknown, as ever"}`)},
		"optional": {schemaOf[struct {
			X int64 `json:"x,omitzero" schema:"minimum=-1,maximum=100,default=5"`
		}](t), optional(`{"type":"integer","default":5,"minimum":-1,"maximum":100,"format":"int64"}`)},
		"slice is never null": {schemaOf[struct {
			X []string `json:"x" schema:"minItems=1,maxItems=2,minLength=1"`
		}](t), object(`{"type":"array","items":{"type":"string","minLength":1},"minItems":1,"maxItems":2}`)},
		"map is never null": {schemaOf[struct {
			X map[string]bool `json:"x" schema:"maxProperties=3"`
		}](t), object(`{"type":"object","maxProperties":3,"additionalProperties":{"type":"boolean"}}`)},
		"optional pointer is never null": {schemaOf[struct {
			X *bool `json:"x,omitzero"`
		}](t), optional(`{"type":"boolean"}`)},
		"required pointer can be null": {schemaOf[struct {
			X *Stream `json:"x"`
		}](t), object(`{"type":["string","null"],"enum":["stdout","stderr","log",null]}`)},
		"pointer to any": {schemaOf[struct {
			X *jsontext.Value `json:"x"`
		}](t), object(`true`)},
		"elements that are pointers": {schemaOf[struct {
			X []*int8 `json:"x"`
		}](t), object(`{"type":"array","items":{"type":["integer","null"],"minimum":-128,"maximum":127}}`)},
		"bytes": {schemaOf[struct {
			X []byte `json:"x"`
		}](t), object(`{"type":"string","pattern":"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$","contentEncoding":"base64"}`)},
		"array of bytes": {schemaOf[struct {
			X [4]byte `json:"x"`
		}](t), object(`{"type":"string","minLength":8,"maxLength":8,"pattern":"^([A-Za-z0-9+/]{4})*[A-Za-z0-9+/][AQgw]==$","contentEncoding":"base64"}`)},
		"bytes of a type with a name": {schemaOf[struct {
			X []namedByte `json:"x"`
		}](t), object(`{"type":"array","items":{"type":"integer","minimum":0,"maximum":255}}`)},
		"a name for bytes": {schemaOf[struct {
			X namedBytes `json:"x"`
		}](t), object(`{"type":"string","pattern":"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$","contentEncoding":"base64"}`)},
		"array": {schemaOf[struct {
			X [2]bool `json:"x"`
		}](t), object(`{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}`)},
		"optional pointer to a pointer can be null": {schemaOf[struct {
			X **bool `json:"x,omitzero"`
		}](t), optional(`{"type":["boolean","null"]}`)},
		"pointer to a pointer that is never written as null": {schemaOf[struct {
			X **bool `json:"x,omitempty"`
		}](t), optional(`{"type":"boolean"}`)},
		"embedded with a name": {schemaOf[struct {
			base `json:"x"`
		}](t), object(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"],"additionalProperties":false}`)},
		"a field that hides another one's Go name": {schemaOf[struct {
			base
			Path bool `json:"x"`
		}](t), `{"type":"object","properties":{"path":{"type":"string"},"x":{"type":"boolean"}},"required":["path","x"],"additionalProperties":false}`},
		"a default in quotes": {schemaOf[struct {
			X string `json:"x" schema:"default=\x01\""`
		}](t), object(`{"type":"string","default":"\u0001\""}`)},
		"text": {schemaOf[struct {
			X textual `json:"x"`
		}](t), object(`{"type":"string"}`)},
		"names": {schemaOf[struct {
			X string `json:"x" schema:"enum=a|b,default=a"`
		}](t), object(`{"type":"string","default":"a","enum":["a","b"]}`)},
		"names or null": {schemaOf[struct {
			X *string `json:"x" schema:"enum=a|b"`
		}](t), object(`{"type":["string","null"],"enum":["a","b",null]}`)},
		"some names of a type": {schemaOf[struct {
			X Stream `json:"x" schema:"enum=stdout|stderr"`
		}](t), object(`{"type":"string","enum":["stdout","stderr"]}`)},
		"a default of any JSON": {schemaOf[struct {
			X jsontext.Value `json:"x" schema:"default=5"`
		}](t), object(`{"default":5}`)},
		"embedded": {schemaOf[struct {
			base
			X bool `json:"x"`
			y int
			Z int `json:"-"`
		}](t), `{"type":"object","properties":{"path":{"type":"string"},"x":{"type":"boolean"}},"required":["path","x"],"additionalProperties":false}`},
	} {
		require.JSONEq(t, c.want, c.got, name)
	}
}

func TestDeriveRefuses(t *testing.T) {
	for want, err := range map[string]error{
		"use an int64 of milliseconds":                                        refused(Derive[struct{ D []time.Duration }]()),
		"ownJSON writes or reads its own JSON":                                refused(Derive[map[string]ownJSON]()),
		"readsJSON writes or reads its own JSON":                              refused(Derive[struct{ X readsJSON }]()),
		"big.Int writes or reads its own JSON":                                refused(Derive[struct{ N *big.Int }]()),
		"add UnmarshalText":                                                   refused(Derive[[]writesText]()),
		"add MarshalText":                                                     refused(Derive[[]readsText]()),
		"cannot be decoded":                                                   refused(Derive[struct{ R io.Reader }]()),
		"encoding.TextMarshaler cannot be decoded":                            refused(Derive[encoding.TextMarshaler]()),
		"cycle: schema.looping contains itself":                               refused(Derive[looping]()),
		"cycle: schema.selfPointer contains":                                  refused(Derive[selfPointer]()),
		"the map key int is no plain string: use map[string]bool":             refused(Derive[map[int]bool]()),
		"the map key bool is":                                                 refused(Derive[map[bool]string]()),
		"the map key schema.State is":                                         refused(Derive[map[State]string]()),
		"the map key schema.textKey":                                          refused(Derive[map[textKey]string]()),
		"the map key schema.textual":                                          refused(Derive[map[textual]string]()),
		"JSON has no func":                                                    refused(Derive[struct{ F func() }]()),
		"JSON has no complex128":                                              refused(Derive[[]complex128]()),
		"struct { n int } has no JSON form: Go struct has no exported fields": refused(Derive[struct{ n int }]()),
		"field X: sync.Mutex has no JSON form":                                refused(Derive[struct{ X sync.Mutex }]()),
		`json option "string"`: refused(Derive[struct {
			N int `json:"n,string"`
		}]()),
		`json option "format"`: refused(Derive[struct {
			T time.Time `json:"t,format:unix"`
		}]()),
		`json option "embed"`: refused(Derive[struct {
			T map[string]int `json:",embed"`
		}]()),
		"embedded field base: a pointer may be nil": refused(Derive[struct{ *base }]()),
		"must not implement marshal": refused(Derive[struct { // two: of one the method would be promoted
			base
			unnamed
			textual
		}]()),
		`two fields, Path and Other, for the member "path"`: refused(Derive[struct {
			base
			Other string `json:"path"`
		}]()),
		"begins like a limit": refused(Derive[struct {
			N int `jsonschema:"minimum=3"`
		}]()),
		"unexported Go struct field n cannot have":          refusedField(reflect.StructField{Name: "n", PkgPath: "x", Tag: `json:"n"`}),
		"specify `omitempty` instead":                       refusedField(reflect.StructField{Name: "N", Tag: `json:"n,omitEmpty"`}),
		"invalid character '\\'' at start of option":        refusedField(reflect.StructField{Name: "N", Tag: `json:"'n'"`}),
		"invalid trailing ',' character":                    refusedField(reflect.StructField{Name: "N", Tag: `json:"n,"`}),
		"duplicate appearance of `omitzero` tag option":     refusedField(reflect.StructField{Name: "N", Tag: `json:"n,omitzero,omitzero"`}),
		"has JSON object name \"\\xff\" with invalid UTF-8": refusedField(reflect.StructField{Name: "N", Tag: `json:"\xff"`}),
	} {
		require.ErrorContains(t, err, want, want)
	}
}

func refused(_ *Schema, err error) error { return err }

// refusedField is for what vet would refuse in the source.
func refusedField(f reflect.StructField) error {
	f.Type = reflect.TypeFor[int]()
	_, err := newDeriver(wireTypes).of(reflect.StructOf([]reflect.StructField{f}))
	return err
}

type checked struct {
	Argv       []string                 `json:"argv" schema:"minItems=1,maxItems=3"`
	DurationMs int64                    `json:"durationMs,omitzero" schema:"minimum=0"`
	Big        uint64                   `json:"big,omitzero"`
	Ratio      float64                  `json:"ratio,omitzero" schema:"minimum=-1,maximum=0.5"`
	Small      float32                  `json:"small,omitzero"`
	Stream     *Stream                  `json:"stream,omitzero"`
	When       Time                     `json:"when,omitzero"`
	Bytes      []byte                   `json:"bytes,omitzero"`
	Name       string                   `json:"name,omitzero" schema:"minLength=2,maxLength=3"`
	Labels     map[string]int8          `json:"a/~b,omitzero" schema:"maxProperties=1"`
	Deep       []map[string][]checkedIn `json:"deep,omitzero"`
	Raw        jsontext.Value           `json:"raw,omitzero"`
}

type checkedIn struct {
	On *bool `json:"on"`
}

const checkedNames = `"argv", "durationMs", "big", "ratio", "small", "stream", "when", "bytes", "name", "a/~b", "deep", "raw"`

var validations = []struct {
	value string
	want  []Violation
}{
	{`{"argv":["a"]}`, nil},
	{` {"argv" : [ "a" ] } `, nil},
	{`{"argv":["a"],"raw":{"x":[1,null,1e999999999]},"stream":"log"}`, nil},
	{`{}`, []Violation{{"", `missing member "argv"`}}},
	{`null`, []Violation{{"", "got null, want object"}}},
	{`[]`, []Violation{{"", "got array, want object"}}},
	{`{"argv":"ls -l"}`, []Violation{{"/argv", "got string, want array"}}},
	{`{"argv":null}`, []Violation{{"/argv", "got null, want array"}}},
	{`{"argv":[]}`, []Violation{{"/argv", "got 0, want at least 1 element"}}},
	{`{"argv":["","","",""]}`, []Violation{{"/argv", "got more, want at most 3 elements"}}},
	{`{"argv":["a",1,{}]}`, []Violation{{"/argv/1", "got number, want string"}, {"/argv/2", "got object, want string"}}},
	{`{"argv":["a"],"durationMs":"secret"}`, []Violation{{"/durationMs", "got string, want integer"}}},
	{`{"argv":["a"],"durationMs":true}`, []Violation{{"/durationMs", "got boolean, want integer"}}},
	{`{"argv":["a"],"durationMs":-1}`, []Violation{{"/durationMs", "got -1, want at least 0"}}},
	{`{"argv":["a"],"durationMs":1.5}`, []Violation{{"/durationMs", "got 1.5, want integer"}}},
	{`{"argv":["a"],"durationMs":1e-999999999}`, []Violation{{"/durationMs", "got 1e-999999999, want integer"}}},
	{`{"argv":["a"],"durationMs":1.0}`, nil},
	{`{"argv":["a"],"durationMs":12.50e1}`, nil},
	{`{"argv":["a"],"durationMs":9223372036854775807}`, nil},
	{`{"argv":["a"],"durationMs":9223372036854775808}`, []Violation{{"/durationMs", "got 9223372036854775808, " + tooWide}}},
	{`{"argv":["a"],"durationMs":1e999999999999999999999}`, []Violation{{"/durationMs", "got 1e999999999999999999999, " + tooWide}}},
	{`{"argv":["a"],"big":18446744073709551615}`, nil},
	{`{"argv":["a"],"big":18446744073709551616}`, []Violation{{"/big", "got 18446744073709551616, " + tooWide}}},
	{`{"argv":["a"],"big":-0}`, nil},
	{`{"argv":["a"],"ratio":0.5}`, nil},
	{`{"argv":["a"],"ratio":0.50000000000000000000000001}`, []Violation{{"/ratio", "got 0.50000000000000000000000001, want at most 0.5"}}},
	{`{"argv":["a"],"ratio":-1.1}`, []Violation{{"/ratio", "got -1.1, want at least -1"}}},
	{`{"argv":["a"],"ratio":1e400}`, []Violation{{"/ratio", "got 1e400, want a number that fits a float of 64 bits"}}},
	{`{"argv":["a"],"small":1e39}`, []Violation{{"/small", "got 1e39, want a number that fits a float of 32 bits"}}},
	{`{"argv":["a"],"stream":"stdot"}`, []Violation{{"/stream", `got "stdot", want one of "stdout", "stderr", "log" (did you mean "stdout"?)`}}},
	{`{"argv":["a"],"stream":"\u006cog"}`, nil},
	{`{"argv":["a"],"when":"2026-01-02T03:04:05+01:00"}`, nil},
	{`{"argv":["a"],"when":"2026-13-02T03:04:05Z"}`, []Violation{{"/when", `got "2026-13-02T03:04:05Z", want an RFC 3339 time, as 2006-01-02T15:04:05Z`}}},
	{`{"argv":["a"],"when":"` + strings.Repeat("ä", 101) + `"}`,
		[]Violation{{"/when", `got "` + strings.Repeat("ä", 100) + `…", want an RFC 3339 time, as 2006-01-02T15:04:05Z`}}},
	{`{"argv":["a"],"when":"` + strings.Repeat("🦄", 100) + `"}`,
		[]Violation{{"/when", `got "` + strings.Repeat("🦄", 100) + `", want an RFC 3339 time, as 2006-01-02T15:04:05Z`}}},
	{`{"argv":["a"],"bytes":"AAA="}`, nil},
	{`{"argv":["a"],"bytes":"AAA"}`, []Violation{{"/bytes", "want base64 with padding"}}},
	{`{"argv":["a"],"bytes":"AA\nAA"}`, []Violation{{"/bytes", "want base64 with padding"}}},
	{`{"argv":["a"],"name":"äö\ud83d\ude00"}`, nil},
	{`{"argv":["a"],"name":"ä"}`, []Violation{{"/name", "got 1, want at least 2 characters"}}},
	{`{"argv":["a"],"name":"abcd"}`, []Violation{{"/name", "got 4, want at most 3 characters"}}},
	{`{"argv":["a"],"a/~b":{"x/y~z":200}}`, []Violation{{"/a~1~0b/x~1y~0z", "got 200, want at most 127"}}},
	{`{"argv":["a"],"a/~b":{"x":1,"y":2}}`, []Violation{{"/a~1~0b", "got more, want at most 1 member"}}},
	{`{"argv":["a"],"a\/\u007eb":{}}`, nil},
	{`{"argv":["a"],"deep":[{"k":[{"on":null},{"on":1}]}]}`, []Violation{{"/deep/0/k/1/on", "got number, want boolean or null"}}},
	{`{"argv":["a"],"deep":[{"k":[{}]}]}`, []Violation{{"/deep/0/k/0", `missing member "on"`}}},
	{`{"argw":7}`, []Violation{{"/argw", "unknown member; known are " + checkedNames + ` (did you mean "argv"?)`}, {"", `missing member "argv"`}}},
	{`{"argv":["a"],"~/":{"on":1}}`, []Violation{{"/~0~1", "unknown member; known are " + checkedNames}}},
	{``, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a"]`, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a"}`, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a"],}`, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a",]}`, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a"]} 1`, []Violation{{"", "want one valid JSON value"}}},
	{`{"argv":["a"],"argv":["a"]}`, []Violation{{"", "want one valid JSON value"}}},
	{"{\"argv\":[\"\xff\"]}", []Violation{{"", "want one valid JSON value"}}},
}

func TestValidate(t *testing.T) {
	s := mustDerive[checked](t)
	for _, c := range validations {
		require.Equal(t, c.want, s.Validate(jsontext.Value(c.value)), c.value)
	}
	require.Equal(t, []Violation{{"/x", "unknown member; there are none"}}, mustDerive[Empty](t).Validate(jsontext.Value(`{"x":1}`)))
}

// TestUnmarshal holds that every spelling of an integer that is valid can be
// decoded, and that this changes nothing else.
func TestUnmarshal(t *testing.T) {
	type params struct {
		Argv       []string         `json:"argv"`
		Raw        jsontext.Value   `json:"raw"`
		Any        any              `json:"any"`
		Ratio      float64          `json:"ratio"`
		DurationMs int64            `json:"durationMs"`
		More       map[string][]int `json:"more"`
	}
	s := mustDerive[params](t)
	for number, want := range map[string]int64{
		"1.0": 1, "-0": 0, "-0.0": 0, "1e3": 1000, "12.50E+1": 125, "100e-2": 1, "0e999999999": 0,
		"9007199254740993.0": 9007199254740993, "-9.223372036854775808e18": -9223372036854775808,
	} {
		value := `{"argv":["1.0","\"2.0"],"raw":[0.10,1.0,1e999999999],"any":[1e2,"1.0",9007199254740993.0],` +
			`"ratio":1.0,"durationMs":` + number + `, "more" : {"a":[2.0,3 , 1e1],"\u0062":[]} } `
		require.Nil(t, s.Validate(jsontext.Value(value)))
		p := params{Argv: []string{"left over"}, Any: "left over", More: map[string][]int{"left": nil}}
		require.NoError(t, s.Unmarshal(jsontext.Value(value), &p), number)
		require.Equal(t, params{
			Argv: []string{"1.0", `"2.0`}, Raw: jsontext.Value(`[0.10,1.0,1e999999999]`),
			Any: []any{100.0, "1.0", jsontext.Value("9007199254740993.0")}, Ratio: 1,
			DurationMs: want, More: map[string][]int{"a": {2, 3, 10}, "b": {}},
		}, p, number)
	}
	n := mustDerive[int](t)
	u := mustDerive[uint64](t)
	for _, most := range []string{"18446744073709551615.0", "1.8446744073709551615e19"} { // it has 20 digits
		var got uint64
		require.NoError(t, u.Unmarshal(jsontext.Value(most), &got), most)
		require.Equal(t, uint64(math.MaxUint64), got)
	}
	for _, wrong := range []string{`"x"`, `1.5`, `1.0]`, `1e30`} {
		require.Error(t, n.Unmarshal(jsontext.Value(wrong), new(int)), wrong)
	}
}

// TestAnyLosesNothing: a number that no float64 is goes through an any as text.
func TestAnyLosesNothing(t *testing.T) {
	s := mustDerive[map[string]any](t)
	for number, want := range map[string]any{
		"1": 1.0, "1.0": 1.0, "0.1": 0.1, "-0": 0.0, "1e2": 100.0, "9007199254740992": 9007199254740992.0, "5e-324": 5e-324,
		"9007199254740993": jsontext.Value("9007199254740993"), "9007199254740995": jsontext.Value("9007199254740995"), // rounded down, and up "1e309": jsontext.Value("1e309"), "1e-400": jsontext.Value("1e-400"),
		"0.1000000000000000055511151231257827": jsontext.Value("0.1000000000000000055511151231257827"),
	} {
		value := jsontext.Value(`{"x":[` + number + `]}`)
		require.Nil(t, s.Validate(value))
		var got map[string]any
		require.NoError(t, s.Unmarshal(value, &got))
		require.Equal(t, map[string]any{"x": []any{want}}, got)
		clear(value) // it is the caller's
		_, err := json.Marshal(got)
		require.NoError(t, err)
	}
}

// TestTextTypes: a type with a text form is asked which texts it reads.
func TestTextTypes(t *testing.T) {
	s := mustDerive[struct {
		X []textual  `json:"x"`
		A netip.Addr `json:"a,omitzero"`
	}](t)
	require.Nil(t, s.Validate(jsontext.Value(`{"x":["ab","\u0061b"],"a":"::1"}`)))
	require.Equal(t, []Violation{
		{"/x/0", "want a text that schema.textual reads"}, {"/x/1", "want a text that schema.textual reads"},
		{"/a", "want a text that netip.Addr reads"},
	}, s.Validate(jsontext.Value(`{"x":["abc","a"],"a":"secret"}`)))
	refusal := refused(Derive[struct {
		X textual `schema:"enum=ab|abc"`
	}]())
	require.ErrorContains(t, refusal, `the name "abc" is no value of the field`)
}

func TestViolationsAreBounded(t *testing.T) {
	s := mustDerive[struct {
		Argv []string `json:"argv"`
	}](t)
	for n, want := range map[int]int{maxViolations - 1: maxViolations - 1, maxViolations: maxViolations, maxViolations + 1: maxViolations} {
		value := `{"argv":[` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + `]}`
		require.Len(t, s.Validate(jsontext.Value(value)), want)
	}
}

func TestPointersAreBounded(t *testing.T) {
	s := mustDerive[struct {
		M map[string]int `json:"m"`
	}](t)
	for length, want := range map[int]string{
		maxPointerBytes - 3: "/m/" + strings.Repeat("k", maxPointerBytes-3),
		maxPointerBytes - 2: "/m",
	} {
		value := fmt.Sprintf(`{"m":{%q:""}}`, strings.Repeat("k", length))
		require.Equal(t, []Violation{{want, "got string, want integer"}}, s.Validate(jsontext.Value(value)))
	}
}

func TestKnownNamesAreBounded(t *testing.T) {
	s := mustDerive[struct{ A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U int }](t)
	v := s.Validate(jsontext.Value(`{"none":1}`))
	require.Contains(t, v[0].Message, `"T" and more`)
	require.NotContains(t, v[0].Message, `"U"`)
}

// TestManyMembers passes the number of members whose state is on the stack.
func TestManyMembers(t *testing.T) {
	var fields []reflect.StructField
	for i := range 100 {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("M%d", i), Type: reflect.TypeFor[int]()})
	}
	d := newDeriver(wireTypes)
	s, err := d.of(reflect.StructOf(fields))
	require.NoError(t, err)
	members := func(n int) jsontext.Value {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"M%d":1`, i)
		}
		return jsontext.Value("{" + b.String()[1:] + "}")
	}
	require.Nil(t, check(d.compile(s), members(100)))
	require.Len(t, check(d.compile(s), members(90)), 10)
}

// TestValidateKeepsNothing: the value belongs to the caller.
func TestValidateKeepsNothing(t *testing.T) {
	s := mustDerive[checked](t)
	value := jsontext.Value(`{"argv":[1],"nope":2}`)
	copied := value.Clone()
	v := s.Validate(value)
	require.Equal(t, string(copied), string(value))
	clear(value)
	require.Equal(t, "/nope", v[1].Pointer)
}

func BenchmarkDerive(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := Derive[checked]()
		require.NoError(b, err)
	}
}

func BenchmarkValidate(b *testing.B) {
	s := mustDerive[checked](b)
	value := jsontext.Value(`{"argv":["echo","hello"],"durationMs":1000}`)
	b.ReportAllocs()
	for b.Loop() {
		if s.Validate(value) != nil {
			b.Fatal("invalid")
		}
	}
}

// A large value with a duplicate name is as invalid as a small one.
func TestLargeValueWithADuplicateName(t *testing.T) {
	s, err := Derive[map[string]any]()
	require.NoError(t, err)
	for _, size := range []int{1, 1 << 20} {
		text := strings.Repeat("x", size)
		require.Nil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1}}`)))
		require.NotNil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1,"c":1}}`)))
		require.NotNil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1}}}`)))
	}
}

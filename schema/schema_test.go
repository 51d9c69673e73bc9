package schema

import (
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
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

type textual struct{ s string }

func (t textual) MarshalText() ([]byte, error) { return []byte(t.s), nil }

type ownJSON struct{}

func (ownJSON) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type looping struct{ Next *looping }

type unnamed struct{ N int }

func (unnamed) MarshalText() ([]byte, error) { return nil, nil }

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
		}](t), object(`{"type":"string","contentEncoding":"base64"}`)},
		"array of bytes": {schemaOf[struct {
			X [4]byte `json:"x"`
		}](t), object(`{"type":"string","minLength":8,"maxLength":8,"contentEncoding":"base64"}`)},
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
		"use an int64 of milliseconds": refused(Derive[struct{ D []time.Duration }]()),
		"writes its own JSON":          refused(Derive[map[string]ownJSON]()),
		"big.Int writes its own JSON":  refused(Derive[struct{ N *big.Int }]()),
		"cannot be decoded":            refused(Derive[struct{ R io.Reader }]()),
		"cycle":                        refused(Derive[looping]()),
		"map key":                      refused(Derive[map[int]string]()),
		"unsupported":                  refused(Derive[struct{ F func() }]()),
		`json option "string"`: refused(Derive[struct {
			N int `json:"n,string"`
		}]()),
		`json option "format"`: refused(Derive[struct {
			T time.Time `json:"t,format:unix"`
		}]()),
		"only a plain struct": refused(Derive[struct {
			base `json:"base"`
		}]()),
		"embedded field base: only": refused(Derive[struct{ *base }]()),
		"embedded field unnamed": refused(Derive[struct { // two: of one the method would be promoted
			unnamed
			textual
		}]()),
		"two fields": refused(Derive[struct {
			base
			Other string `json:"path"`
		}]()),
		"is not exported": refusedField(reflect.StructField{
			Name: "n", PkgPath: "x", Type: reflect.TypeFor[int](), Tag: `json:"n"`,
		}),
	} {
		require.ErrorContains(t, err, want, want)
	}
}

func refused(_ *Schema, err error) error { return err }

// refusedField is for what vet would refuse in the source.
func refusedField(f reflect.StructField) error {
	_, err := derive(reflect.StructOf([]reflect.StructField{f}), wireTypes)
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
	{`{"argv":["","","",""]}`, []Violation{{"/argv", "got 4, want at most 3 elements"}}},
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
	{`{"argv":["a"],"a/~b":{"x":1,"y":2}}`, []Violation{{"/a~1~0b", "got 2, want at most 1 member"}}},
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

// TestUnmarshal holds that every spelling of an integer that is valid can be decoded.
func TestUnmarshal(t *testing.T) {
	for number, want := range map[string]int64{
		"1.0": 1, "-0": 0, "-0.0": 0, "1e3": 1000, "12.50E+1": 125, "100e-2": 1, "0e999999999": 0,
		"9007199254740993.0": 9007199254740993, "-9.223372036854775808e18": -9223372036854775808,
	} {
		value := jsontext.Value(`{"argv":["1.0","\"2.0"],"raw":[0.10,1e999999999],"durationMs":` + number + `}`)
		var p struct {
			Argv       []string
			Raw        jsontext.Value `json:"raw"`
			DurationMs int64          `json:"durationMs"`
		}
		p.Argv = []string{"left over"}
		require.NoError(t, Unmarshal(value, &p), number)
		require.Equal(t, want, p.DurationMs, number)
		require.Equal(t, `[0.10,1e999999999]`, string(p.Raw))
	}
	var n int
	require.Error(t, Unmarshal(jsontext.Value(`"x"`), &n))
	require.Error(t, Unmarshal(jsontext.Value(`1.5`), &n))
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
	s, err := derive(reflect.StructOf(fields), wireTypes)
	require.NoError(t, err)
	members := func(n int) jsontext.Value {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"M%d":1`, i)
		}
		return jsontext.Value("{" + b.String()[1:] + "}")
	}
	require.Nil(t, check(compile(s), members(100)))
	require.Len(t, check(compile(s), members(90)), 10)
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

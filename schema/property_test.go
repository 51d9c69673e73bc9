package schema

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// everything has a field of each sort that a schema can be derived of.
type everything struct {
	inner
	Bool     bool               `json:"bool"`
	Int      int                `json:"int"`
	Small    int8               `json:"small,omitempty"`
	Uint     uint64             `json:"uint"`
	Byte     uint8              `json:"byte"`
	Float    float64            `json:"float"`
	Single   float32            `json:"single,omitzero"`
	Bytes    []byte             `json:"bytes"`
	Hash     [3]byte            `json:"hash"`
	Pair     [2]bool            `json:"pair"`
	At       Time               `json:"at"`
	When     time.Time          `json:"when"`
	ID       uuid.UUID          `json:"id"`
	States   []State            `json:"states"`
	ByState  map[string]*Stream `json:"byState"`
	Null     *int               `json:"null"`
	Optional **string           `json:"optional,omitempty"`
	Raw      jsontext.Value     `json:"raw"`
	Any      any                `json:"any,omitzero"`
	Inner    *inner             `json:"a/b~c,omitzero"`
	Inners   []*inner           `json:"inners"`
	Escaped  string             `json:"<\u2028>"`
	NoTag    map[string][]int
}

type inner struct {
	Text string            `json:"text"`
	Map  map[string]string `json:"map,omitempty"`
}

func drawInner(t *rapid.T) inner {
	return inner{rapid.String().Draw(t, "text"), rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "map")}
}

func drawEverything(t *rapid.T) everything {
	state := rapid.Custom(func(t *rapid.T) State { return State(rapid.IntRange(0, len(StateNames)-1).Draw(t, "state")) })
	stream := rapid.Custom(func(t *rapid.T) *Stream { return new(Stream(rapid.IntRange(0, len(StreamNames)-1).Draw(t, "stream"))) })
	v := everything{
		inner: drawInner(t),
		Bool:  rapid.Bool().Draw(t, "bool"), Int: rapid.Int().Draw(t, "int"), Small: rapid.Int8().Draw(t, "small"),
		Uint: rapid.Uint64().Draw(t, "uint"), Byte: rapid.Uint8().Draw(t, "byte"),
		Float: rapid.Float64().Draw(t, "float"), Single: rapid.Float32().Draw(t, "single"),
		Bytes:  rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "bytes"),
		At:     Time(rapid.Int64Range(0, 1<<57).Draw(t, "at")),
		When:   time.Unix(rapid.Int64Range(0, 1<<37).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
		States: rapid.SliceOf(state).Draw(t, "states"), ByState: rapid.MapOf(rapid.String(), rapid.OneOf(stream, rapid.Just[*Stream](nil))).Draw(t, "byState"),
		NoTag: rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.Int())).Draw(t, "noTag"), Escaped: rapid.String().Draw(t, "escaped"),
	}
	copy(v.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	copy(v.Hash[:], v.ID[:])
	if rapid.Bool().Draw(t, "filled") {
		v.Null, v.Optional, v.Any, v.Inner = new(7), new(new("x")), []any{nil, 1.5}, new(drawInner(t))
		v.Raw, v.Inners = jsontext.Value(`{"a":[]}`), []*inner{nil, new(drawInner(t))}
	}
	return v
}

// TestMarshalledIsValid: whatever a Go value is, its JSON is valid, by this
// package and by an independent one.
func TestMarshalledIsValid(t *testing.T) {
	s := mustDerive[everything](t)
	other := compileOracle(t, s)
	rapid.Check(t, func(t *rapid.T) {
		text, err := json.Marshal(drawEverything(t))
		require.NoError(t, err)
		require.Nil(t, s.Validate(text), "%s", text)
		require.NoError(t, other.Validate(parsed(t, string(text))), "%s", text)
	})
}

// TestAgreesWithOracle changes valid values at random and holds the verdict
// against an independent validator, and decoding against the verdict.
func TestAgreesWithOracle(t *testing.T) {
	s := mustDerive[checked](t)
	other := compileOracle(t, s)
	member := rapid.SampledFrom(append(s.root.names, "argw", "", "on"))
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]jsontext.Value{}
		if rapid.IntRange(0, 9).Draw(t, "argv") > 0 {
			value["argv"] = jsontext.Value(`["a"]`)
		}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			value[member.Draw(t, "member")] = drawJSON(t, 3)
		}
		text, err := json.Marshal(value, json.Deterministic(true))
		require.NoError(t, err)
		found := s.Validate(text)
		verdict := other.Validate(parsed(t, string(text)))
		require.Equal(t, verdict == nil, found == nil, "%s: oracle %v, got %v", text, verdict, found)
		require.Equal(t, found, s.Validate(text), "not deterministic")
		if found == nil {
			require.NoError(t, s.Unmarshal(text, new(checked)), "%s", text)
		}
	})
}

// drawJSON draws a value out of those that are near to what checked wants.
func drawJSON(t *rapid.T, depth int) jsontext.Value {
	scalars := []string{
		"null", "true", "0", "-0", "1", "1.0", "-1", "1.5", "0.5", "0.51", "1e2", "1e-2", "127", "128", "1e38", "1e39", "1e308", "1e309",
		"9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616.0",
		`""`, `"a"`, `"ab"`, `"abcd"`, `"\u00e4\u00e4"`, `"log"`, `"stdout "`, `"AAAA"`, `"AAB="`, `"A\nAA"`, `"AAA"`,
		`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.123456789+23:59"`, `"2026-01-02 03:04:05Z"`, `"2026-01-02T03:04:05,5Z"`,
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		if depth == 0 {
			return jsontext.Value("[]")
		}
		items := []jsontext.Value{}
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			items = append(items, drawJSON(t, depth-1))
		}
		text, err := json.Marshal(items)
		require.NoError(t, err)
		return text
	case 1:
		if depth == 0 {
			return jsontext.Value("{}")
		}
		members := map[string]jsontext.Value{}
		for range rapid.IntRange(0, 2).Draw(t, "members") {
			members[rapid.SampledFrom([]string{"on", "x", "a/b"}).Draw(t, "name")] = drawJSON(t, depth-1)
		}
		text, err := json.Marshal(members, json.Deterministic(true))
		require.NoError(t, err)
		return text
	default:
		return jsontext.Value(rapid.SampledFrom(scalars).Draw(t, "scalar"))
	}
}

// FuzzValidate: no bytes make it panic, what is valid can be decoded, and what
// is no JSON is refused.
func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		`{}`, ``, `null`, `{"argv":["a"],"durationMs":1.0,"raw":1e9999}`, `{"argv":[1],"a/~b":{"~/":1}}`, `[[[[`, `{"argv":}`,
		`{"argv":["a"],"deep":[{"k":[{"on":true}]}],"when":"2026-01-02T03:04:05Z","bytes":"AAA=","stream":"log"}`, "\"\xff\"", `-`, `1e`,
	} {
		f.Add([]byte(seed))
	}
	s := mustDerive[checked](f)
	f.Fuzz(func(t *testing.T, value []byte) {
		found := s.Validate(value)
		if found == nil {
			require.NoError(t, s.Unmarshal(value, new(checked)))
		}
		require.LessOrEqual(t, len(found), maxViolations)
		if !jsontext.Value(value).IsValid() && len(found) < maxViolations {
			require.Len(t, found, 1)
		}
		for _, v := range found {
			require.True(t, jsontext.Pointer(v.Pointer).IsValid())
			require.NotEmpty(t, v.Message)
		}
	})
}

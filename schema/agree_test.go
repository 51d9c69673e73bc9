package schema

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	stdjson "encoding/json"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	oracle "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// schemaOfType is Derive of a type that is made at run time.
func schemaOfType(t reflect.Type) (*Schema, error) {
	d := newDeriver(wireTypes)
	s, err := d.of(t)
	if err != nil {
		return nil, err
	}
	raw, err := s.MarshalJSON()
	return &Schema{raw: raw, root: d.compile(s), hasAny: d.hasAny}, err
}

// TestPlainTypesHaveSchemas: what TestSchemaAndDecoderAgree draws is not refused.
func TestPlainTypesHaveSchemas(t *testing.T) {
	for _, plain := range plainTypes {
		_, err := schemaOfType(plain)
		require.NoError(t, err, plain)
	}
	rapid.Check(t, func(t *rapid.T) {
		refused := rapid.SampledFrom(refusedTypes).Draw(t, "refused")
		for _, around := range []reflect.Type{
			refused, reflect.PointerTo(refused), reflect.SliceOf(refused), reflect.ArrayOf(1, refused), reflect.MapOf(reflect.TypeFor[string](), refused),
			reflect.StructOf([]reflect.StructField{{Name: "Plain", Type: drawType(t, 1)}, {Name: "Refused", Type: refused, Tag: `json:",omitzero"`}}),
		} {
			_, err := schemaOfType(around)
			require.Error(t, err, around)
		}
	})
}

// TestSchemaAndDecoderAgree draws Go types. What a value of one is written as
// is valid, says another validator too, and read as the same. What is drawn
// near to that is valid for both or for none; what is valid can be decoded.
func TestSchemaAndDecoderAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		goType := drawType(t, 3)
		s, err := schemaOfType(goType)
		require.NoError(t, err, goType)
		other := compileOracle(t, s)
		for range 4 {
			value := reflect.New(goType).Elem()
			drawInto(t, value)
			text, err := json.Marshal(value.Addr().Interface(), json.Deterministic(true))
			require.NoError(t, err, goType)
			require.Nil(t, s.Validate(text), "%v: %s", goType, text)
			require.NoError(t, other.Validate(parsed(t, string(text))), "%v: %s", goType, text)
			again := throughType(t, s, goType, text)
			if strings.Contains(goType.String(), "omitzero") { // which leaves out the zero value that null in it became
				text, again = again, throughType(t, s, goType, again)
			}
			require.Equal(t, sameAs(parsed(t, string(text))), sameAs(parsed(t, string(again))), "%v: %s", goType, text)
			for range 4 {
				requireAgreement(t, s, other, goType, mutate(t, parsed(t, string(text))))
			}
		}
	})
}

// throughType decodes a valid text and writes it again.
func throughType(t require.TestingT, s *Schema, goType reflect.Type, text []byte) []byte {
	back := reflect.New(goType)
	require.NoError(t, s.Unmarshal(text, back.Interface()), "%v: %s", goType, text)
	again, err := json.Marshal(back.Interface(), json.Deterministic(true))
	require.NoError(t, err, "%v: %s", goType, text)
	return again
}

func requireAgreement(t *rapid.T, s *Schema, other *oracle.Schema, goType reflect.Type, value any) {
	text, err := stdjson.Marshal(value)
	require.NoError(t, err)
	found, verdict := s.Validate(text), other.Validate(parsed(t, string(text)))
	if verdict == nil && len(found) > 0 { // only a text type may say what no schema can
		for _, v := range found {
			require.Contains(t, v.Message, "want a text that", "%v: %s: the oracle finds nothing", goType, text)
		}
	} else {
		require.Equal(t, verdict == nil, found == nil, "%v: %s: oracle %v, got %v", goType, text, verdict, found)
	}
	if found == nil {
		throughType(t, s, goType, text)
	}
}

// mutate changes a JSON value somewhere.
func mutate(t *rapid.T, v any) any {
	if rapid.IntRange(0, 3).Draw(t, "here") == 0 {
		return parsed(t, string(drawJSON(t, 2)))
	}
	switch v := v.(type) {
	case []any:
		switch i := rapid.IntRange(-2, len(v)-1).Draw(t, "element"); i {
		case -2:
			return append(v, parsed(t, string(drawJSON(t, 1))))
		case -1:
			return v[:max(0, len(v)-1)]
		default:
			v[i] = mutate(t, v[i])
		}
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		switch i := rapid.IntRange(-2, len(names)-1).Draw(t, "member"); {
		case i >= 0:
			v[names[i]] = mutate(t, v[names[i]])
		case i == -1 && len(names) > 0:
			delete(v, names[0])
		default:
			v[rapid.SampledFrom([]string{"f0", "F1", "foobar", "path", "x"}).Draw(t, "name")] = parsed(t, string(drawJSON(t, 1)))
		}
	case stdjson.Number:
		return stdjson.Number(rapid.SampledFrom([]string{string(v) + "0", "-" + strings.TrimPrefix(string(v), "-"), string(v) + "e0", "1.0", "1.5"}).Filter(validNumber).Draw(t, "number"))
	case string:
		return rapid.SampledFrom([]string{v + "=", strings.ToUpper(v), strings.ToLower(v), strings.Replace(v, "T", " ", 1), strings.Replace(v, ":", "", 1), v + "\n", strings.TrimSuffix(v, "="), "A" + v}).Draw(t, "text")
	}
	return v
}

func validNumber(n string) bool { return jsontext.Value(n).IsValid() }

// sameAs is a form of a JSON value that is equal for equal ones: numbers by
// what they are worth, and a member that is null as one that is left out.
func sameAs(v any) any {
	switch v := v.(type) {
	case string:
		if v == new(Time).String() { // a text is never "not yet": it is read as the next microsecond
			return Time(1).String()
		}
	case stdjson.Number:
		if exponent := strings.IndexAny(string(v), "eE"); exponent >= 0 {
			if n, _ := strconv.Atoi(string(v[exponent+1:])); n > 1000 || n < -1000 {
				return string(v)
			}
		}
		n, _ := new(big.Rat).SetString(string(v))
		return fmt.Sprint(n)
	case []any:
		for i := range v {
			v[i] = sameAs(v[i])
		}
	case map[string]any:
		for name, value := range v {
			if v[name] = sameAs(value); value == nil {
				delete(v, name)
			}
		}
	}
	return v
}

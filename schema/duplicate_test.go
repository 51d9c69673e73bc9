package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

// DuplicateName finds what the strict decoder finds.
func TestDuplicateNameAgreesWithTheDecoder(t *testing.T) {
	name := rapid.SampledFrom([]string{`"a"`, `"\u0061"`, `"b"`, `""`, `"\""`, `"\\"`, `"ä"`, `"\u00e4"`, `"{"`, `"]"`, `"a,b"`})
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			kind := rapid.IntRange(0, 5).Draw(t, "kind")
			if depth == 0 {
				kind %= 4
			}
			switch kind {
			case 0:
				return "12.5e3"
			case 1:
				return " null "
			case 2:
				return name.Draw(t, "text")
			case 3, 4:
				var members []string
				for i := range rapid.IntRange(0, 40).Draw(t, "members") {
					key := fmt.Sprintf(`"n%d"`, i)
					if rapid.IntRange(0, 20).Draw(t, "own name") == 0 {
						key = name.Draw(t, "name")
					}
					inner := "true"
					if depth > 0 && i < 3 {
						inner = value(depth-1).Draw(t, "member")
					}
					members = append(members, key+" :\t"+inner)
				}
				return "{ " + strings.Join(members, ",\n") + " }"
			default:
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "elements"), ", ") + "]"
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		text := value(3).Draw(t, "value")
		require.True(t, jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)), "%s", text)
		_, at := schema.DuplicateName([]byte(text))
		require.Equal(t, !jsontext.Value(text).IsValid(), at >= 0, "%s", text)
	})
}

// The last of very many names is the first one again, written differently.
func TestDuplicateNameOfManyMembers(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 48, 49, 100_000} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"n%d":0`, i)
		}
		members := b.String()[1:]
		_, at := schema.DuplicateName([]byte("{" + members + "}"))
		require.Negative(t, at, "%d", n)
		name, at := schema.DuplicateName([]byte("{" + members + `,"\u006e0":1}`))
		require.Equal(t, len(members)+2, at, "%d", n)
		require.Equal(t, "n0", name)
	}
}

// A large value with a duplicate name is as invalid as a small one.
func TestLargeValueWithADuplicateName(t *testing.T) {
	s, err := schema.Derive[map[string]any]()
	require.NoError(t, err)
	for _, size := range []int{1, 1 << 20} {
		text := strings.Repeat("x", size)
		require.Nil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1}}`)))
		require.NotNil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1,"c":1}}`)))
		require.NotNil(t, s.Validate(jsontext.Value(`{"a":"`+text+`","b":{"c":1}}}`)))
	}
}

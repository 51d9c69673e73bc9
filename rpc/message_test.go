package rpc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawJSON draws a valid JSON value with all there can be in it, and blanks
// wherever they can be.
func drawJSON(t *rapid.T, depth int) string {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	blank := func() string { return rapid.StringMatching(`[ \t\r\n]{0,2}`).Draw(t, "blank") }
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
	case 1:
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
	case 2, 3:
		return drawString(t)
	case 4:
		items := make([]string, rapid.IntRange(0, 4).Draw(t, "elements"))
		for i := range items {
			items[i] = blank() + drawJSON(t, depth-1) + blank()
		}
		return "[" + blank() + strings.Join(items, ",") + "]"
	default:
		return drawObject(t, depth, blank)
	}
}

func drawObject(t *rapid.T, depth int, blank func() string) string {
	items := []string{}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		name := drawString(t)
		plain, err := jsontext.AppendUnquote(nil, name)
		if err != nil || seen[string(plain)] {
			continue
		}
		seen[string(plain)] = true
		items = append(items, blank()+name+blank()+":"+blank()+drawJSON(t, depth-1)+blank())
	}
	return "{" + blank() + strings.Join(items, ",") + "}"
}

func drawString(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		`a`, `é`, `🦄`, `\"`, `\\`, `\/`, `\n`, `\u00e9`, `\ud83e\udd84`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, `\u0000`, `\u0022`,
	}), 0, 6).Draw(t, "string")
	return `"` + strings.Join(pieces, "") + `"`
}

// The quick ways through JSON see what the careful one does.
func TestWalkAgreesWithJSONText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(drawJSON(t, 4))
		require.True(t, jsontext.Value(text).IsValid(), "%s", text)
		end := skipValue(append(text, ','), 0)
		require.Equal(t, len(text), end)
		deepest := compareWalk(t, text)
		require.Equal(t, deepest, depth(text))
		if text[0] == '{' || text[0] == '[' {
			cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
			var s scan
			if cut < len(text) {
				require.Zero(t, s.step(text[:cut]))
			}
			require.Equal(t, len(text), s.step(append(bytes.Clone(text), `{"more"`...)))
		}
	})
}

// compareWalk walks through a value both ways, and answers how deep it nests.
func compareWalk(t *rapid.T, value []byte) int {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	deepest := 0
	next := func() []byte {
		v, err := decoder.ReadValue()
		require.NoError(t, err)
		return bytes.Clone(v)
	}
	child := func(got []byte) {
		require.Equal(t, string(next()), string(got))
		deepest = max(deepest, compareWalk(t, got))
	}
	switch value[0] {
	case '{':
		_, err := decoder.ReadToken()
		require.NoError(t, err)
		members(value, func(name, got []byte) bool {
			token, err := decoder.ReadToken()
			require.NoError(t, err)
			require.Equal(t, token.String(), string(name))
			child(got)
			return true
		})
		require.EqualValues(t, '}', decoder.PeekKind())
	case '[':
		_, err := decoder.ReadToken()
		require.NoError(t, err)
		elements(value, func(got []byte) bool {
			child(got)
			return true
		})
		require.EqualValues(t, ']', decoder.PeekKind())
	default:
		return 0
	}
	return deepest + 1
}

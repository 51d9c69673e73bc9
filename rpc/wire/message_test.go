package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
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

// Members, elements and the end of a value are those that the JSON package finds.
func TestPartsAgreeWithJSONText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(drawJSON(t, 4))
		require.True(t, jsontext.Value(text).IsValid(), "%s", text)
		compareParts(t, text)
		if text[0] == '{' || text[0] == '[' {
			cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
			var s bracketScanner
			if cut < len(text) {
				require.Zero(t, s.step(text[:cut]))
			}
			require.Equal(t, len(text), s.step(append(bytes.Clone(text), `{"more"`...)))
		}
	})
}

// The parts of a request are those that the JSON package finds, however many
// params there are.
func TestMessageAgreesWithJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var names, values []string
		want := map[string]jsontext.Value{}
		for range rapid.IntRange(0, firstMembers+4).Draw(t, "params") {
			name, value := drawString(t), drawJSON(t, 2)
			plain, err := jsontext.AppendUnquote(nil, name)
			require.NoError(t, err)
			if want[string(plain)] == nil {
				want[string(plain)] = jsontext.Value(value)
				names, values = append(names, string(plain)), append(values, name+" :\t"+value)
			}
		}
		raw := "{" + strings.Join(values, " , ") + "}"
		text := rapid.SampledFrom([]string{
			`{"jsonrpc":"2.0","id":7,"method":"submit","params":` + raw + `}`,
			` {"params" : ` + raw + ` , "method" : "s\u0075bmit" , "id" : 7, "more" : ` + raw + `, "jsonrpc":"2.0" } `,
		}).Draw(t, "text")
		var s jsonscan.Scanner
		var m Message
		s.Reset([]byte(text), MaxNesting)
		m.Read(&s)
		require.Nil(t, s.Err())
		require.Nil(t, m.Check())
		require.Equal(t, strings.TrimSpace(text), string(m.Text))
		require.Equal(t, "7", string(m.ID))
		require.Equal(t, schema.MethodSubmit, m.MethodName())
		require.Equal(t, raw, string(m.Params.Raw))
		require.Equal(t, len(want), m.Params.count)
		var got []string
		m.Params.Each(func(name, value []byte) bool {
			got = append(got, string(name))
			require.Equal(t, string(want[string(name)]), string(value))
			return true
		})
		require.Equal(t, names, got)
		for name, value := range want {
			require.Equal(t, string(value), string(m.Params.Get(name)))
		}
		require.Nil(t, m.Params.Get("nothing"))
	})
}

// compareParts takes a value apart both ways.
func compareParts(t *rapid.T, value []byte) {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	next := func() []byte {
		v, err := decoder.ReadValue()
		require.NoError(t, err)
		return bytes.Clone(v)
	}
	child := func(got []byte) {
		require.Equal(t, string(next()), string(got))
		compareParts(t, bytes.Clone(got))
	}
	switch value[0] {
	case '{':
		_, err := decoder.ReadToken()
		require.NoError(t, err)
		Members(value, func(name, got []byte) bool {
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
		Elements(value, func(got []byte) bool {
			child(got)
			return true
		})
		require.EqualValues(t, ']', decoder.PeekKind())
	}
}

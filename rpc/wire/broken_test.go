package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// idByStandardLibrary is the id of a request by a decoder that admits duplicate
// names, lone surrogates and bytes that are not UTF-8.
func idByStandardLibrary(t require.TestingT, object []byte) string {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	_, err := dec.Token()
	require.NoError(t, err)
	var ids []string
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		if name == "id" {
			ids = append(ids, string(value))
		}
	}
	for _, id := range ids {
		scalar := strings.ContainsAny(id[:1], `"-0123456789`)
		if id != ids[0] || !scalar || !jsontext.Value(id).IsValid() {
			return ""
		}
	}
	return strings.Join(ids[:min(len(ids), 1)], "")
}

// What the standard library reads an id from is answered with that id, whatever
// else is wrong with it; of what is cut, no part of an id is taken for it.
func FuzzBrokenRequest(f *testing.F) {
	for _, seed := range seeds(f) {
		for line := range bytes.Lines(seed) {
			f.Add(bytes.TrimSpace(line), uint16(len(line)/2))
		}
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"id":2,"id":2,"method":"stats"}`), uint16(0))
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		if !json.Valid(text) || text[0] != '{' {
			return
		}
		want := idByStandardLibrary(t, text)
		require.Equal(t, want, string(identify(text).ID))
		part := identify(text[:min(int(cut), len(text))]).ID
		require.Contains(t, []string{"", want, firstID(t, text)}, string(part))

		r := NewReader(bytes.NewReader(bytes.ReplaceAll(text, []byte("\n"), []byte(" "))), FramingLine, 1<<20)
		m, err := r.Next()
		if bad, ok := err.(*BadMessage); ok {
			require.Equal(t, want, string(bad.ID))
		} else {
			require.True(t, m.IsResponse() || want == string(m.ID) || string(m.ID) == "null")
		}
	})
}

// firstID is the first of several ids: where text is cut behind it, nobody can
// know of the others.
func firstID(t require.TestingT, object []byte) (id string) {
	lenientMembers(object, func(name, value []byte) {
		if string(name) == "id" && id == "" && isID(value) {
			id = string(value)
		}
	})
	return id
}

// Of valid JSON the rough walk sees what the other one sees.
func TestRoughWalkAgreesOnValidJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blank := func() string { return rapid.StringMatching(`[ \t\r\n]{0,2}`).Draw(t, "blank") }
		object := []byte(drawObject(t, 3, blank))
		var want, got []string
		Members(object, func(name, value []byte) bool {
			want = append(want, string(name), string(value))
			return true
		})
		lenientMembers(object, func(name, value []byte) { got = append(got, string(name), string(value)) })
		require.Equal(t, want, got, "%s", object)

		array := []byte("[" + blank() + drawJSON(t, 3) + blank() + "," + drawJSON(t, 2) + blank() + "]")
		want, got = nil, nil
		Elements(array, func(value []byte) bool {
			want = append(want, string(value))
			return true
		})
		LenientElements(array, func(value []byte) bool {
			got = append(got, string(value))
			return true
		})
		require.Equal(t, want, got, "%s", array)
	})
}

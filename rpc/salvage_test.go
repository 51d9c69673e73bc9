package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
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
		require.Equal(t, want, string(salvage(text).id))
		part := salvage(text[:min(int(cut), len(text))]).id
		require.Contains(t, []string{"", want, firstID(t, text)}, string(part))

		r := newReader(bytes.NewReader(bytes.ReplaceAll(text, []byte("\n"), []byte(" "))), FramingLine, 1<<20)
		m, err := r.next()
		if bad, ok := err.(*badMessage); ok {
			require.Equal(t, want, string(bad.id))
		} else {
			require.True(t, m.isResponse() || want == string(m.id) || string(m.id) == "null")
		}
	})
}

// firstID is the first of several ids: where text is cut behind it, nobody can
// know of the others.
func firstID(t require.TestingT, object []byte) (id string) {
	roughMembers(object, func(name, value []byte) {
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
		members(object, func(name, value []byte) bool {
			want = append(want, string(name), string(value))
			return true
		})
		roughMembers(object, func(name, value []byte) { got = append(got, string(name), string(value)) })
		require.Equal(t, want, got, "%s", object)

		array := []byte("[" + blank() + drawJSON(t, 3) + blank() + "," + drawJSON(t, 2) + blank() + "]")
		want, got = nil, nil
		elements(array, func(value []byte) bool {
			want = append(want, string(value))
			return true
		})
		roughElements(array, func(value []byte) bool {
			got = append(got, string(value))
			return true
		})
		require.Equal(t, want, got, "%s", array)
	})
}

// A response that a client cannot read ends its call with an error, in either
// framing, whether it is broken, too long or cut.
func TestStreamTellsOfBrokenResponses(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":3,"result":"` + strings.Repeat("x", 1<<20) + `"}`
	texts := []string{
		`{"jsonrpc":"2.0","id":1,"result":{"half":"\ud83e"}}`, `{"jsonrpc":"2.0","id":"two","error":{"code":1,}}`, long,
		`{"jsonrpc":"2.0","method":"task/started","params":{"half":"\ud83e"}}`, `{"jsonrpc":"2.0","id":4,"result":7}`,
	}
	for framing, format := range map[Framing]func(string) string{
		FramingLine:   func(text string) string { return text + "\n" },
		FramingHeader: func(text string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text) },
	} {
		var all strings.Builder
		for _, text := range texts {
			all.WriteString(format(text))
		}
		s := NewStream(&fakeConn{in: strings.NewReader(all.String())}, framing, 100_000)
		for _, want := range []string{"1", `"two"`, "3", "4"} {
			var m struct {
				ID     json.RawMessage
				Result json.RawMessage
				Error  *Error
			}
			require.NoError(t, s.ReadObject(&m))
			require.Equal(t, want, string(m.ID))
			require.Equal(t, want == "4", m.Error == nil)
		}
		require.NoError(t, s.Close())
	}
}

// A request that a Stream cannot read is answered, for a program that mounts Handler.
func TestStreamAnswersBrokenRequests(t *testing.T) {
	conn := &fakeConn{in: strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"half":"\ud83e"}}` + "\n")}
	s := NewStream(conn, FramingLine, 1000)
	require.Error(t, s.ReadObject(new(json.RawMessage)))
	require.NoError(t, s.Close())
	require.Contains(t, conn.out.String(), `"id":1,"error":{"code":-32700`)
}

// fakeConn reads a text and keeps what is written.
type fakeConn struct {
	in  *strings.Reader
	out bytes.Buffer
}

func (c *fakeConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *fakeConn) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *fakeConn) Close() error                { return nil }

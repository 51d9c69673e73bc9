package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/wire"
)

// A response that a client cannot read ends its call with an error, in either
// framing, whether it is broken, too long or cut.
func TestStreamTellsOfBrokenResponses(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":3,"result":"` + strings.Repeat("x", 1<<20) + `"}`
	texts := []string{
		`{"jsonrpc":"2.0","id":1,"result":{"half":"\ud83e"}}`, `{"jsonrpc":"2.0","id":"two","error":{"code":1,}}`, long,
		`{"jsonrpc":"2.0","method":"task/started","params":{"half":"\ud83e"}}`, `{"jsonrpc":"2.0","id":4,"result":7}`,
	}
	for framing, format := range map[wire.Framing]func(string) string{
		wire.FramingLine:   func(text string) string { return text + "\n" },
		wire.FramingHeader: func(text string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text) },
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
				Error  *wire.Error
			}
			require.NoError(t, s.ReadObject(&m))
			require.Equal(t, want, string(m.ID))
			require.Equal(t, want == "4", m.Error == nil)
		}
		require.NoError(t, s.Close())
	}
}

// An error about a message whose id could not be told has the id null. It ends no call: a
// jsonrpc2.Conn would take it for the answer to its first one, which has the id 0.
func TestStreamSkipsResponsesToNobody(t *testing.T) {
	s := NewStream(&fakeConn{in: strings.NewReader(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a broken line"}}
{"jsonrpc":"2.0","id":null,"error":{"code":-32700,}}
{"jsonrpc":"2.0","result":{}}
{"jsonrpc":"2.0","id":0,"result":{}}
`)}, wire.FramingLine, 1000)
	var answer jsonrpc2.Response
	require.NoError(t, s.ReadObject(&answer))
	require.Nil(t, answer.Error)
	require.JSONEq(t, `{}`, string(*answer.Result))
	require.ErrorIs(t, s.ReadObject(&answer), io.EOF)
	require.NoError(t, s.Close())
}

// A request that a Stream cannot read is answered, for a program that mounts Handler.
func TestStreamAnswersBrokenRequests(t *testing.T) {
	conn := &fakeConn{in: strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"half":"\ud83e"}}` + "\n")}
	s := NewStream(conn, wire.FramingLine, 1000)
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

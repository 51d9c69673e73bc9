package rpc

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/rpc/wire"
)

// submits are so many lines that each ask for a task that does nothing.
func submits(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, `{"jsonrpc":"2.0","id":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"method":"submit","params":{"type":"noop","events":["finished"]}}`+"\n"...)
	}
	return b
}

// repeated reads the same text over and over, until so many bytes are read.
type repeated struct {
	text []byte
	at   int
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.left)], r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	r.left -= n
	return n, nil
}

// BenchmarkReader cuts a stream into messages and checks them.
func BenchmarkReader(b *testing.B) {
	line := submits(1)
	for _, framing := range []wire.Framing{wire.FramingLine, wire.FramingHeader} {
		text, name := line, "lines"
		if framing == wire.FramingHeader {
			text, name = fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(line), line), "frames"
		}
		b.Run(name, func(b *testing.B) {
			r := wire.NewReader(&repeated{text: bytes.Repeat(text, 1000), left: len(text) * b.N}, framing, wire.DefaultMaxMessage)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for range b.N {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// poured is a connection that asks as fast as it is read, and drops the answers.
type poured struct {
	io.Reader
	written int
}

func (p *poured) Write(b []byte) (int, error) {
	p.written += bytes.Count(b, []byte{'\n'})
	return len(b), nil
}

func (p *poured) Close() error { return nil }

// BenchmarkDispatch takes tasks that do nothing from the bytes of their submit
// to the bytes of their task/finished. Those of a client that has given its name have
// a label.
func BenchmarkDispatch(b *testing.B) {
	b.Run("nameless", func(b *testing.B) { benchmarkDispatch(b, "") })
	b.Run("named", func(b *testing.B) {
		benchmarkDispatch(b, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"editor"}}}`+"\n")
	})
}

// benchmarkDispatch sends the greeting once, and then submits.
func benchmarkDispatch(b *testing.B, greeting string) {
	types, err := builtin.Types()
	require.NoError(b, err)
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types, Limit: runtime.GOMAXPROCS(0)})
	require.NoError(b, err)
	ran := make(chan error, 1)
	go func() { ran <- ex.Run(b.Context()) }()
	const lines = 1000 // so that a read has as many as one from a pipe
	text := submits(lines)
	requests := &repeated{text: text, left: len(text)*(b.N/lines) + len(submits(b.N%lines))}
	conn := &poured{Reader: io.MultiReader(strings.NewReader(greeting), requests)}
	b.ReportAllocs()
	b.ResetTimer()
	require.NoError(b, Serve(b.Context(), conn, ex, Options{OnEOF: EOFDrain}))
	b.StopTimer()
	require.Equal(b, 2*b.N+strings.Count(greeting, "\n"), conn.written)
	require.NoError(b, <-ran)
}

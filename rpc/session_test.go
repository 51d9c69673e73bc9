package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// envelope is all that the top level of a message of a server may have.
type envelope struct {
	Version string         `json:"jsonrpc"`
	ID      jsontext.Value `json:"id"`
	Method  string         `json:"method"`
	Params  jsontext.Value `json:"params"`
	Result  jsontext.Value `json:"result"`
	Error   *wire.Error    `json:"error"`
}

// requireMessage checks a line of a server's.
func requireMessage(t *testing.T, line []byte) []envelope {
	all := []envelope{{}}
	if line[0] == '[' {
		require.NoError(t, json.Unmarshal(line, &all, json.RejectUnknownMembers(true)), "%s", line)
		require.NotEmpty(t, all)
	} else {
		require.NoError(t, json.Unmarshal(line, &all[0], json.RejectUnknownMembers(true)), "%s", line)
	}
	for _, m := range all {
		require.Equal(t, "2.0", m.Version)
		if m.Method != "" {
			require.True(t, m.ID == nil && m.Result == nil && m.Error == nil && m.Params.Kind() == '{', "%s", line)
			continue
		}
		require.True(t, m.ID != nil && (m.Error == nil) == (m.Result.Kind() == '{'), "%s", line)
	}
	return all
}

func FuzzSession(f *testing.F) {
	for _, file := range transcripts(f) {
		archive, err := txtar.ParseFile(file)
		require.NoError(f, err)
		f.Add(section(archive, "client").Data)
	}
	types, err := builtin.Types()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text []byte) {
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types, Limit: 2})
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- ex.Run(context.Background()) }()
		near, far := rpctest.Pipe()
		served := make(chan error, 1)
		go func() {
			served <- rpc.Serve(context.Background(), far, ex, rpc.Options{Framing: wire.FramingLine, OnEOF: rpc.EOFCancel})
		}()
		go func() {
			// Where it fails the server has ended, as the text has asked.
			_, _ = near.Write(append(bytes.Clone(text), "\n{\"jsonrpc\":\"2.0\",\"id\":\"the last\",\"method\":\"stats\"}\n"...))
			_ = near.(interface{ CloseWrite() error }).CloseWrite()
		}()
		out, err := io.ReadAll(near)
		require.NoError(t, err)
		require.NoError(t, <-served)
		require.NoError(t, <-ran)
		answered := false
		for line := range bytes.Lines(out) {
			for _, m := range requireMessage(t, line) {
				answered = answered || string(m.ID) == `"the last"`
			}
		}
		ended := bytes.Contains(text, []byte("shutdown")) || bytes.Contains(text, []byte("exit")) || bytes.Contains(text, []byte(`\`))
		require.True(t, answered || ended, "the last request has no reply")
	})
}

func TestDiscover(t *testing.T) {
	p := connect(t, server(t, 1), rpc.Options{})
	p.send(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`)
	require.JSONEq(t, string(schema.OpenRPC()), string(p.next().Result))
}

// Serve ends with its context, whatever the client does, and says why.
func TestServeEndsWithItsContext(t *testing.T) {
	for name, o := range map[string]rpc.Options{"detach": {}, "drain": {OnEOF: rpc.EOFDrain}} {
		t.Run(name, func(t *testing.T) {
			near, far := rpctest.Pipe()
			ctx, cancel := context.WithCancelCause(context.Background())
			served := make(chan error, 1)
			ex := server(t, 1)
			go func() { served <- rpc.Serve(ctx, far, ex, o) }()
			_, err := fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","input":{"durationMs":60000}}}`)
			require.NoError(t, err) // and the reply is never read
			cancel(io.ErrNoProgress)
			require.ErrorIs(t, <-served, io.ErrNoProgress)
		})
	}
}

// A client that is gone ends Serve, with an error that says so, also where
// replies and events are still to be written.
func TestServeReaderGone(t *testing.T) {
	near, far := rpctest.Pipe()
	served := make(chan error, 1)
	ex := server(t, 1)
	go func() { served <- rpc.Serve(context.Background(), far, ex, rpc.Options{OnEOF: rpc.EOFDrain}) }()
	_, err := fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"types"}`)
	require.NoError(t, err)
	require.NoError(t, near.Close())
	require.ErrorIs(t, <-served, rpc.ErrReaderGone)
}

// A client that is gone after the end of its input ends Serve with that error, too: its
// tasks still run, and the process must not take this for an end in order.
func TestServeReaderGoneAfterTheInput(t *testing.T) {
	ex := server(t, 1, executor.MustDefine("forever", func(ctx context.Context, _ nothing) (nothing, error) {
		<-ctx.Done()
		return nothing{}, context.Cause(ctx)
	}))
	for range 1000 {
		near, far := rpctest.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		served := make(chan error, 1)
		go func() { served <- rpc.Serve(ctx, far, ex, rpc.Options{OnEOF: rpc.EOFDrain}) }()
		_, err := fmt.Fprintln(near, submitLine(1, uuid.New(), "forever", ""))
		require.NoError(t, err)
		lines := bufio.NewReader(near)
		_, err = lines.ReadString('\n')
		require.NoError(t, err)
		go func() { _, _ = io.Copy(io.Discard, lines) }() // all that is sent is taken; ends with the pipe
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		time.Sleep(100 * time.Microsecond) // the goroutines of Serve wait then, and any can be the first to see it
		cancel(rpc.ErrReaderGone)
		require.ErrorIs(t, <-served, rpc.ErrReaderGone)
		require.NoError(t, near.Close())
	}
}

// Stop ends the executor's tasks and tells the client of it.
func TestServeStop(t *testing.T) {
	stop := make(chan struct{})
	p := connect(t, server(t, 1), rpc.Options{OnEOF: rpc.EOFDrain, Stop: stop})
	p.send(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","input":{"durationMs":60000}}}`)
	require.Nil(t, p.next().Error)
	close(stop)
	all := p.all()
	require.Equal(t, schema.NotifyFinished, all[len(all)-1].Method)
	require.Equal(t, "cancelled", all[len(all)-1].Params.State)
}

// A store that is closed serves nobody, and says so. The client does not wait for it.
func TestServeOverAClosedStore(t *testing.T) {
	store := memory.New(memory.Options{})
	ex, err := executor.New(store, executor.Options{})
	require.NoError(t, err)
	require.NoError(t, store.Close())
	near, far := rpctest.Pipe()
	defer near.Close()
	require.ErrorIs(t, rpc.Serve(t.Context(), far, ex, rpc.Options{}), executor.ErrClosed)
	_, err = far.Write([]byte("\n"))
	require.ErrorIs(t, err, io.ErrClosedPipe, "the connection is open")
}

// reluctant takes all but the last byte at once, as a pipe that is nearly full.
type reluctant struct{ io.ReadWriteCloser }

func (r reluctant) TryWrite(p []byte) (int, error) { return r.Write(p[:len(p)-1]) }

// One byte that is left is written, too: it is the end of a line.
func TestTheLastByteIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		served := make(chan error, 1)
		go func() { served <- rpc.Serve(t.Context(), reluctant{far}, server(t, 1), rpc.Options{}) }()
		lines := bufio.NewReader(near)
		for range 3 {
			_, err := io.WriteString(near, `{"jsonrpc":"2.0","id":1,"method":"types"}`+"\n")
			require.NoError(t, err)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, `"result"`)
		}
		near.Close()
		<-served
	})
}

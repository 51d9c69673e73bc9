package rpc_test

import (
	"bufio"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// message is anything a server sends; a batch has its replies in Batch.
type message struct {
	ID     jsontext.Value `json:"id"`
	Method string         `json:"method"`
	Params event          `json:"params"`
	Result jsontext.Value `json:"result"`
	Error  *wire.Error    `json:"error"`

	Batch []message `json:"-"`
}

// event has what the notifications have.
type event struct {
	ID     uuid.UUID       `json:"id"`
	Seq    uint64          `json:"seq"`
	State  string          `json:"state"`
	Stream string          `json:"stream"`
	Offset int64           `json:"offset"`
	Gap    int64           `json:"gap"`
	Data   string          `json:"data"`
	Enc    schema.Encoding `json:"encoding"`
	// Progress is a number in task/progress and an object in task/finished.
	Progress    jsontext.Value      `json:"progress"`
	OutputBytes *schema.OutputBytes `json:"outputBytes"`
	Result      jsontext.Value      `json:"result"`
	Incomplete  bool                `json:"incomplete"`
	// Subscription and Missed are of subscription/replayed.
	Subscription uint32         `json:"subscription"`
	Missed       *schema.Missed `json:"missed"`
}

// task is the task in the result of a submit or status.
func (m message) task(t testing.TB) schema.SubmitResult {
	require.Nil(t, m.Error)
	var task schema.SubmitResult
	require.NoError(t, json.Unmarshal(m.Result, &task))
	return task
}

// peer is a client that speaks in bytes. Nothing reads unless the test does.
type peer struct {
	testing.TB
	conn   io.ReadWriteCloser
	lines  *bufio.Reader
	served chan error
}

// server runs an executor until the end of the test.
func server(t testing.TB, limit int, types ...executor.Type) *executor.Executor {
	return serverOver(t, memory.New(memory.Options{}), limit, types...)
}

func serverOver(t testing.TB, store executor.Store, limit int, types ...executor.Type) *executor.Executor {
	ex, err := executor.New(store, executor.Options{Types: append(testTypes(t), types...), Limit: limit})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- ex.Run(context.Background()) }()
	t.Cleanup(func() {
		ex.Begin(schema.ShutdownCancel)
		require.NoError(t, <-ran)
	})
	return ex
}

func connect(t testing.TB, ex *executor.Executor, o rpc.Options) *peer {
	near, far := rpctest.Pipe()
	p := &peer{TB: t, conn: near, lines: bufio.NewReader(near), served: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { p.served <- rpc.Serve(ctx, far, ex, o) }()
	var over sync.Once
	t.Cleanup(func() {
		over.Do(func() {
			cancel()
			<-p.served
		})
	})
	return p
}

func (p *peer) send(lines ...string) {
	for _, line := range lines {
		_, err := io.WriteString(p.conn, line+"\n")
		require.NoError(p, err)
	}
}

// next reads a message.
func (p *peer) next() message {
	p.Helper()
	m, err := p.read()
	require.NoError(p, err)
	return m
}

func (p *peer) read() (m message, err error) {
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	if line[0] == '[' {
		require.NoError(p, json.Unmarshal(line, &m.Batch))
		return m, nil
	}
	require.NoError(p, json.Unmarshal(line, &m), "%s", line)
	return m, nil
}

// subscribe subscribes and answers with the reply, which is the next message.
func (p *peer) subscribe(params string) schema.SubscribeResult {
	p.Helper()
	p.send(`{"jsonrpc":"2.0","id":"subscribe","method":"subscribe","params":` + params + `}`)
	m := p.next()
	require.Equal(p, `"subscribe"`, string(m.ID))
	require.Nil(p, m.Error)
	var r schema.SubscribeResult
	unmarshal(p, m.Result, &r)
	return r
}

// reply reads until the reply with the id.
func (p *peer) reply(id string) message {
	p.Helper()
	for {
		if m := p.next(); string(m.ID) == id {
			return m
		}
	}
}

// all reads to the end of the connection.
func (p *peer) all() []message {
	var all []message
	for {
		m, err := p.read()
		if err != nil {
			require.ErrorIs(p, err, io.EOF)
			return all
		}
		all = append(all, m)
	}
}

func unmarshal(t testing.TB, text []byte, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, v), "%s", text)
}

// awaitFinished waits until so many tasks are completed, kept or not.
func (p *peer) awaitFinished(n int) {
	for {
		p.send(`{"jsonrpc":"2.0","id":"totals","method":"stats"}`)
		var stats schema.StatsResult
		unmarshal(p, p.reply(`"totals"`).Result, &stats)
		if stats.Totals.Completed >= int64(n) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// awaitTask waits until a task is known that another connection has submitted.
func (p *peer) awaitTask(id uuid.UUID) {
	for known := false; !known; {
		p.send(`{"jsonrpc":"2.0","id":"known","method":"status","params":{"id":"` + id.String() + `"}}`)
		known = p.reply(`"known"`).Error == nil
	}
}

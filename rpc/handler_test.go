package rpc_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// mounted is a language server that jobline is mounted on, and a client of it
// that gathers the methods of what it is notified of.
func mounted(t *testing.T, ex *executor.Executor) (client, host *jsonrpc2.Conn, notified chan string) {
	near, far := rpctest.Pipe()
	next := jsonrpc2.HandlerWithError(func(_ context.Context, _ *jsonrpc2.Conn, rq *jsonrpc2.Request) (any, error) {
		return map[string]string{"of the language server": rq.Method}, nil
	})
	host = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(far, jsonrpc2.VSCodeObjectCodec{}),
		rpc.Handler(ex, next, rpc.Options{}))
	notified = make(chan string, 1000)
	listen := jsonrpc2.HandlerWithError(func(_ context.Context, _ *jsonrpc2.Conn, rq *jsonrpc2.Request) (any, error) {
		notified <- rq.Method
		return nil, nil
	})
	client = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(near, jsonrpc2.VSCodeObjectCodec{}), listen,
		jsonrpc2.OnRecv(func(_ *jsonrpc2.Request, reply *jsonrpc2.Response) {
			if reply != nil {
				notified <- "reply"
			}
		}))
	return client, host, notified
}

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, host, notified := mounted(t, server(t, 2))
		ctx := t.Context()
		var task schema.SubmitResult
		submit := schema.SubmitParams{Type: "noop"}
		for range 20 {
			require.NoError(t, client.Call(ctx, schema.MethodSubmit, submit, &task))
			require.Equal(t, "reply", <-notified)
			require.Equal(t, schema.NotifyStarted, <-notified)
			require.Equal(t, schema.NotifyFinished, <-notified)
		}
		var waited schema.WaitResult
		require.NoError(t, client.Call(ctx, schema.MethodWait, map[string]any{"ids": []string{task.ID.String()}}, &waited))
		require.Equal(t, schema.Completed, waited.Tasks[0].State)

		var other map[string]string
		require.NoError(t, client.Call(ctx, "textDocument/hover", nil, &other))
		require.Equal(t, map[string]string{"of the language server": "textDocument/hover"}, other)

		var wire *jsonrpc2.Error
		require.ErrorAs(t, client.Call(ctx, schema.MethodSubmit, map[string]any{"type": "nop"}, nil), &wire)
		require.EqualValues(t, schema.CodeUnknownType, wire.Code)
		require.Contains(t, string(*wire.Data), `"kind":"unknownType"`)
		require.ErrorAs(t, client.Call(ctx, schema.MethodStatus, []int{1}, nil), &wire)
		require.EqualValues(t, schema.CodeInvalidParams, wire.Code)

		// The session ends with the connection: the bubble would tell of a
		// goroutine that is left.
		require.NoError(t, client.Close())
		<-host.DisconnectNotify()
	})
}

// A task goes on when its client has gone, and the executor with it.
func TestHandlerClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2)
		client, host, _ := mounted(t, ex)
		var task schema.SubmitResult
		require.NoError(t, client.Call(t.Context(), schema.MethodSubmit,
			map[string]any{"type": "sleep", "input": json.RawMessage(`{"durationMs":60000}`)}, &task))
		require.NoError(t, client.Close())
		<-host.DisconnectNotify()
		time.Sleep(time.Hour)
		now, err := ex.Status(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, now.State)
	})
}

// Without a handler of its own the program refuses other methods.
func TestHandlerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		host := jsonrpc2.NewConn(context.Background(), rpc.NewStream(far, rpc.FramingAuto, 0), rpc.Handler(server(t, 1), nil, rpc.Options{}))
		c := rpc.Dial(t.Context(), near, rpc.FramingHeader)
		_, err := c.Stats(t.Context())
		require.NoError(t, err)
		ended, err := c.Shutdown(t.Context(), schema.ShutdownParams{})
		require.NoError(t, err, "the executor ends, and the connection does not")
		require.Zero(t, ended)
		_, err = c.Submit(t.Context(), schema.SubmitParams{Type: "noop"})
		var wire *rpc.Error
		require.ErrorAs(t, err, &wire)
		require.Equal(t, schema.CodeShuttingDown, wire.Code)
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
	})
}

// A subscription on a mounted connection, with the past: the reply comes first.
func TestHandlerSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, host, notified := mounted(t, server(t, 2))
		for range 3 {
			require.NoError(t, client.Call(t.Context(), schema.MethodSubmit, map[string]any{"type": "noop", "events": []string{}}, nil))
			require.Equal(t, "reply", <-notified)
		}
		synctest.Wait()
		var s schema.SubscribeResult
		require.NoError(t, client.Call(t.Context(), schema.MethodSubscribe, map[string]any{"after": 5}, &s))
		require.Equal(t, "reply", <-notified)
		require.EqualValues(t, 15, s.Seq)
		require.Equal(t, schema.NotifyFinished, <-notified)
		require.Equal(t, schema.NotifyFinished, <-notified)
		require.Equal(t, schema.NotifyReplayed, <-notified)
		require.NoError(t, client.Call(t.Context(), schema.MethodUnsubscribe, map[string]any{"subscription": s.Subscription}, nil))
		require.NoError(t, client.Call(t.Context(), schema.MethodTypes, []any{}, nil))
		require.NoError(t, client.Call(t.Context(), schema.MethodTypes, []any{nil}, nil))
		require.NoError(t, client.Close())
		<-host.DisconnectNotify()
	})
}

package rpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// mounted is a language server that jobline is mounted on, and a client of it
// that gathers the methods of what it is notified of.
func mounted(t *testing.T, ex *executor.Executor) (c, host *jsonrpc2.Conn, notified chan string) {
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
	c = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(near, jsonrpc2.VSCodeObjectCodec{}), listen,
		jsonrpc2.OnRecv(func(_ *jsonrpc2.Request, reply *jsonrpc2.Response) {
			if reply != nil {
				notified <- "reply"
			}
		}))
	return c, host, notified
}

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, host, notified := mounted(t, server(t, 2))
		ctx := t.Context()
		var task schema.SubmitResult
		submit := schema.SubmitParams{Type: "noop"}
		for range 20 {
			require.NoError(t, c.Call(ctx, schema.MethodSubmit, submit, &task))
			require.Equal(t, "reply", <-notified)
			require.Equal(t, schema.NotifyStarted, <-notified)
			require.Equal(t, schema.NotifyFinished, <-notified)
		}
		var waited schema.WaitResult
		require.NoError(t, c.Call(ctx, schema.MethodWait, map[string]any{"ids": []string{task.ID.String()}}, &waited))
		require.Equal(t, schema.Completed, waited.Tasks[0].State)

		var other map[string]string
		require.NoError(t, c.Call(ctx, "textDocument/hover", nil, &other))
		require.Equal(t, map[string]string{"of the language server": "textDocument/hover"}, other)

		require.NoError(t, c.Call(ctx, schema.MethodInitialize, map[string]any{"processId": nil}, &other))
		require.Equal(t, map[string]string{"of the language server": schema.MethodInitialize}, other)

		var refused *jsonrpc2.Error
		require.ErrorAs(t, c.Call(ctx, schema.MethodSubmit, map[string]any{"type": "nop"}, nil), &refused)
		require.EqualValues(t, schema.CodeUnknownType, refused.Code)
		require.Contains(t, string(*refused.Data), `"kind":"unknownType"`)
		require.ErrorAs(t, c.Call(ctx, schema.MethodStatus, []int{1}, nil), &refused)
		require.EqualValues(t, schema.CodeInvalidParams, refused.Code)

		// The session ends with the connection: the bubble would tell of a
		// goroutine that is left.
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
	})
}

// A task goes on when its client has gone, and the executor with it.
func TestHandlerClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 2)
		c, host, _ := mounted(t, ex)
		var task schema.SubmitResult
		require.NoError(t, c.Call(t.Context(), schema.MethodSubmit,
			map[string]any{"type": "sleep", "input": json.RawMessage(`{"durationMs":60000}`)}, &task))
		require.NoError(t, c.Close())
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
		host := jsonrpc2.NewConn(context.Background(), client.NewStream(far, wire.FramingAuto, 0), rpc.Handler(server(t, 1), nil, rpc.Options{}))
		c := client.New(t.Context(), near, wire.FramingHeader)
		_, err := c.Stats(t.Context())
		require.NoError(t, err)
		ended, err := c.Shutdown(t.Context(), schema.ShutdownParams{})
		require.NoError(t, err, "the executor ends, and the connection does not")
		require.Zero(t, ended)
		_, err = c.Submit(t.Context(), schema.SubmitParams{Type: "noop"})
		var refused *wire.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, schema.CodeShuttingDown, refused.Code)
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
	})
}

// A subscription on a mounted connection, with the past: the reply comes first.
func TestHandlerSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, host, notified := mounted(t, server(t, 2))
		for range 3 {
			require.NoError(t, c.Call(t.Context(), schema.MethodSubmit, map[string]any{"type": "noop", "events": []string{}}, nil))
			require.Equal(t, "reply", <-notified)
			synctest.Wait() // so that the seq of each end is known
		}
		var s schema.SubscribeResult
		require.NoError(t, c.Call(t.Context(), schema.MethodSubscribe, map[string]any{"after": 5}, &s))
		require.Equal(t, "reply", <-notified)
		require.EqualValues(t, 15, s.Seq)
		require.Equal(t, schema.NotifyFinished, <-notified)
		require.Equal(t, schema.NotifyFinished, <-notified)
		require.Equal(t, schema.NotifyReplayed, <-notified)
		require.NoError(t, c.Call(t.Context(), schema.MethodUnsubscribe, map[string]any{"subscription": s.Subscription}, nil))
		require.NoError(t, c.Call(t.Context(), schema.MethodTypes, []any{}, nil))
		require.NoError(t, c.Call(t.Context(), schema.MethodTypes, []any{nil}, nil))
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
	})
}

// Params that are no object are told of, as Serve does.
func TestHandlerRefusesOtherParams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, host, _ := mounted(t, server(t, 1))
		for params, code := range map[string]schema.Code{
			`7`: schema.CodeInvalidRequest, `"x"`: schema.CodeInvalidRequest, `true`: schema.CodeInvalidRequest,
			`[1]`: schema.CodeInvalidParams, `{"id":"\ud83e"}`: schema.CodeInvalidParams,
		} {
			var refused *jsonrpc2.Error
			require.ErrorAs(t, c.Call(t.Context(), schema.MethodStatus, json.RawMessage(params), nil), &refused, params)
			require.EqualValues(t, code, refused.Code, params)
		}
		require.NoError(t, c.Call(t.Context(), schema.MethodTypes, json.RawMessage(`null`), nil))
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
	})
}

// Nothing is left of a connection that has ended, though its requests have not.
func TestHandlerSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex := server(t, 1)
		running := func() int {
			synctest.Wait()
			stacks := make([]byte, 1<<20)
			return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "rpc.(*session)")
		}
		before := running()
		c, host, _ := mounted(t, ex)
		var task schema.SubmitResult
		require.NoError(t, c.Call(t.Context(), schema.MethodSubmit,
			map[string]any{"type": "sleep", "input": json.RawMessage(`{"durationMs":60000}`)}, &task))
		for _, call := range []struct{ method, params string }{
			{schema.MethodWait, fmt.Sprintf(`{"ids":[%q],"timeoutMs":86400000}`, task.ID)}, {schema.MethodShutdown, `{"mode":"drain"}`},
		} {
			_, err := c.DispatchCall(t.Context(), call.method, json.RawMessage(call.params))
			require.NoError(t, err)
		}
		require.Greater(t, running(), before)
		require.NoError(t, c.Close())
		<-host.DisconnectNotify()
		require.Equal(t, before, running())
		memory := heap()
		for range 10 { // the time-out of a wait keeps nothing either
			c, host, _ := mounted(t, ex)
			_, err := c.DispatchCall(t.Context(), schema.MethodWait, json.RawMessage(fmt.Sprintf(`{"ids":[%q],"timeoutMs":86400000}`, task.ID)),
				jsonrpc2.PickID(jsonrpc2.ID{Str: strings.Repeat("i", 4<<20/fewer), IsString: true}))
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, c.Close())
			<-host.DisconnectNotify()
		}
		synctest.Wait()
		require.Less(t, heap(), memory+(16<<20))
		now, err := ex.Status(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Running, now.State)
	})
}

// A client of a mounted connection that asks and does not read costs a bounded
// amount of memory, and delays nobody else.
func TestHandlerOfStalledClient(t *testing.T) {
	measuresMemory(t)
	const size, count, most = 1 << 20, 150, 110 << 20
	ex := server(t, 2, talker(size, 0, false))
	other := connect(t, ex, rpc.Options{})
	written := uuid.New()
	other.send(submitLine(1, written, "talker", ""), waitLine("written", written))
	require.Nil(t, other.reply(`"written"`).Error)
	near, far := rpctest.Pipe()
	host := jsonrpc2.NewConn(context.Background(), client.NewStream(far, wire.FramingLine, 0), rpc.Handler(ex, nil, rpc.Options{MaxUnsent: 4 << 20}))
	before, sent := heap(), make(chan struct{})
	var asked atomic.Int64
	go func() {
		defer close(sent)
		for i := range count {
			_, err := fmt.Fprintf(near, `{"jsonrpc":"2.0","id":%d,"method":"output","params":{"id":%q,"limit":%d}}`+"\n", i, written, size)
			require.NoError(t, err)
			asked.Add(1)
		}
	}()
	for seen := int64(-1); seen != asked.Load(); time.Sleep(300 * time.Millisecond) {
		seen = asked.Load()
		id := uuid.New()
		other.send(submitLine(1, id, "noop", ""), waitLine("noop", id))
		require.Nil(t, other.reply(`"noop"`).Error)
		require.Less(t, heap(), before+2*most) // a buffer that grows is there twice for a moment
	}
	require.Less(t, heap(), before+most)
	require.Less(t, asked.Load(), int64(count))
	replies := bufio.NewReader(near)
	for range count {
		_, err := replies.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = replies.ReadSlice('\n')
		}
		require.NoError(t, err)
	}
	<-sent
	require.NoError(t, near.Close())
	<-host.DisconnectNotify()
}

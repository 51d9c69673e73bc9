package client_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// Two clients of one executor: one leaves and leaves its task, the other is told of the
// end of all.
func TestClientsOfASharedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: builtinTypes(), Limit: 2})
		require.NoError(t, err)
		ran := make(chan error, 1)
		go func() { ran <- ex.Run(context.Background()) }()
		connect := func() *client.Client {
			near, far := rpctest.Pipe()
			go func() { require.NoError(t, rpc.Serve(context.Background(), far, ex, rpc.Options{Shared: true})) }()
			return client.New(ctx, near, wire.FramingAuto)
		}
		one, other := connect(), connect()

		met, err := one.Initialize(ctx, schema.InitializeParams{ClientInfo: &schema.ClientInfo{Name: "editor"}, ProtocolVersion: schema.ProtocolVersion})
		require.NoError(t, err)
		require.Equal(t, schema.Capabilities{Shared: true}, met.Capabilities)
		_, err = other.Initialize(ctx, schema.InitializeParams{ProtocolVersion: "9.1"})
		var refused *wire.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, schema.CodeInvalidParams, refused.Code)

		task, err := one.Submit(ctx, schema.SubmitParams{Type: "sleep", Input: jsontext.Value(`{"durationMs":3600000}`)})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"owner": "editor"}, task.Labels)
		synctest.Wait() // until it runs
		left, err := one.Shutdown(ctx, schema.ShutdownParams{})
		require.NoError(t, err)
		require.Equal(t, schema.ShutdownResult{Left: 1}, left)
		require.NoError(t, one.Close())
		_, err = one.Stats(ctx)
		require.ErrorIs(t, err, jsonrpc2.ErrClosed)

		of, err := other.List(ctx, schema.ListParams{Labels: map[string]string{"owner": "editor"}, ID: task.ID.String()[:8]})
		require.NoError(t, err)
		require.Len(t, of.Tasks, 1)
		require.Equal(t, schema.Running, of.Tasks[0].State)

		third := connect()
		_, err = third.Shutdown(ctx, schema.ShutdownParams{Scope: schema.ScopeExecutor, Mode: schema.ShutdownCancel})
		require.NoError(t, err)
		var told []client.Event
		for ev := range other.Events(ctx) {
			told = append(told, ev)
		}
		require.Equal(t, []client.Event{{ShuttingDown: &schema.ShuttingDownEvent{Mode: "cancel", Reason: "a client has asked for it"}}}, told)
		require.NoError(t, <-ran)
		require.NoError(t, other.Close())
		require.NoError(t, third.Close())
	})
}

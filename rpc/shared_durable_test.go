package rpc_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/schema"
)

// An executor that is interrupted leaves tasks to the next one, but not those that
// were to end with their connection: it is the executor that has ended that.
func TestInterruptCancelsWhatEndsWithItsConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	ex, err := executor.New(store, executor.Options{Types: testTypes(t), Limit: 2})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- ex.Run(context.Background()) }()
	p := connect(t, ex, shared)
	submit := func(n int, onDisconnect string) uuid.UUID {
		id := uuid.New()
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":"sleep","id":%q,"input":{"durationMs":600000},"rerun":true,"onDisconnect":%q}}`,
			n, id, onDisconnect))
		require.Nil(t, p.reply(fmt.Sprint(n)).Error)
		return id
	}
	kept, ending := submit(1, "keep"), submit(2, "cancel")
	keptQueued, endingQueued := submit(3, "keep"), submit(4, "cancel")
	for p.stateOf(kept) != schema.Running || p.stateOf(ending) != schema.Running {
	}
	ex.Begin(executor.ShutdownInterrupt)
	_ = p.all()
	require.NoError(t, <-ran)
	require.NoError(t, <-p.served)
	p.served <- nil // for the end of the test
	require.NoError(t, store.Close())

	store, err = sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for id, want := range map[uuid.UUID]schema.State{
		kept: schema.Queued, keptQueued: schema.Queued, ending: schema.Cancelled, endingQueued: schema.Cancelled,
	} {
		r, err := store.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, r.State)
	}
}

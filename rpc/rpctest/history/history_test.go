package history_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/rpctest/history"
	"github.com/jobline/jobline/schema"
)

var (
	operations = flag.Int("history", 5000, "how many `operations` the histories have together")
	seed       = flag.Uint64("seed", 0, "the `seed` of the histories; 0 is a new one")
)

// patience is when a server that does not answer is given up, far beyond what
// a loaded machine needs.
const patience = 5 * time.Minute

// every runs a test for each store, limit and number of clients.
func every(t *testing.T, stores []string, run func(t *testing.T, store string, setup history.Setup)) {
	began := *seed
	if began == 0 {
		began = rand.Uint64()
	}
	var setups []history.Setup
	for _, kind := range []history.Setup{{Clients: 1}, {Clients: 8}, {Clients: 8, Leaving: true}} {
		for _, limit := range []int{1, 2, 16} {
			kind.Limit = limit
			setups = append(setups, kind)
		}
	}
	for _, store := range stores {
		for i, setup := range setups {
			setup.Operations = max(*operations/(len(stores)*len(setups)), setup.Clients)
			setup.Seed = began + uint64(i)
			setup.Durable = store == "sqlite"
			name := fmt.Sprintf("%s, limit %d, %d clients", store, setup.Limit, setup.Clients)
			if setup.Leaving {
				name += " that leave"
			}
			t.Run(name, func(t *testing.T) { run(t, store, setup) })
		}
	}
	t.Logf("go test ./rpc/rpctest/history -run %s -history=%d -seed=%d", t.Name(), *operations, began)
}

func TestGuaranteesHoldInRandomHistories(t *testing.T) {
	every(t, []string{"memory", "sqlite"}, func(t *testing.T, store string, setup history.Setup) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		check(t, ctx, open(t, store), setup)
	})
}

// Where time is virtual, it is known when a slot is free.
func TestGuaranteesHoldWhereTimeIsVirtual(t *testing.T) {
	every(t, []string{"memory"}, func(t *testing.T, store string, setup history.Setup) { // a disk takes real time
		synctest.Test(t, func(t *testing.T) {
			setup.Virtual = true
			check(t, t.Context(), open(t, store), setup)
		})
	})
}

func open(t *testing.T, store string) executor.Store {
	if store == "memory" {
		return memory.New(memory.Options{Keep: 1 << 20, KeepBytes: 1 << 30})
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "tasks.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// check runs a history over a store, and holds it against the guarantees.
func check(t *testing.T, ctx context.Context, store executor.Store, setup history.Setup) {
	ex, err := executor.New(store, executor.Options{Types: history.Types(), Limit: setup.Limit})
	require.NoError(t, err)
	for name, limit := range history.Groups() {
		_, err := ex.SetGroup(ctx, &schema.SetGroupParams{Name: name, Limit: &limit})
		require.NoError(t, err)
	}
	ran := make(chan error, 1)
	go func() { ran <- ex.Run(context.Background()) }()
	var serving sync.WaitGroup
	setup.Dial = func() (io.ReadWriteCloser, error) {
		near, far := rpctest.Pipe()
		serving.Go(func() {
			err := rpc.Serve(context.Background(), far, ex, rpc.Options{Shared: setup.Leaving})
			if !setup.Leaving || !errors.Is(err, io.ErrClosedPipe) { // the client was cut
				assert.NoError(t, err)
			}
		})
		return near, nil
	}
	h, err := history.Run(ctx, setup)
	for _, v := range history.Check(h) {
		t.Errorf("seed %d: %v", setup.Seed, v)
	}
	require.NoError(t, err, "seed %d, %d messages", setup.Seed, len(h.Entries))
	serving.Wait()
	ex.Begin(schema.ShutdownCancel)
	require.NoError(t, <-ran)
}

// A server that stops answering is told, with the client that waits for it and
// the history until then.
func TestRunSaysWhoIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dial := func() (io.ReadWriteCloser, error) {
			near, far := rpctest.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			return near, nil
		}
		h, err := history.Run(ctx, history.Setup{Seed: 1, Operations: 100, Clients: 3, Limit: 1, Dial: dial})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "client 0 is not answered")
		require.NotEmpty(t, h.Entries)
		found := history.Check(h)
		require.NotEmpty(t, found)
		for _, v := range found {
			require.Equal(t, "answers", v.Guarantee)
		}
	})
}

package rpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/schema"
)

func (set *settings) store() executor.Store {
	var store executor.Store = memory.New(memory.Options{MaxQueued: set.maxQueued, Keep: set.keep, Resources: set.resources})
	if len(set.broken) > 0 {
		faulty := storetest.Faulty(store)
		for _, method := range set.broken {
			faulty.Break(method)
		}
		store = faulty
	}
	if set.panicking {
		store = panickingStore{store}
	}
	return store
}

// panickingStore is a store with a fault in its code.
type panickingStore struct{ executor.Store }

func (panickingStore) Get(context.Context, uuid.UUID) (executor.Record, error) {
	panic("a fault of the store")
}

type nothing struct{}

type printInput struct {
	Stdout []string `json:"stdout,omitzero"` // base64 each; 10 ms pass between them
	Stderr []string `json:"stderr,omitzero"`
	Repeat int      `json:"repeat,omitzero"` // how often the first of stdout is written
}

// testTypes are the built-in ones and such that do what a test needs.
func testTypes(t testing.TB) []executor.Type {
	types, err := builtin.Types()
	require.NoError(t, err)
	return append(types,
		executor.MustDefine("print", runPrint),
		executor.MustDefine("converse", runConverse),
		executor.MustDefine("panic", func(context.Context, nothing) (nothing, error) { panic("no more nuts") }),
		executor.MustDefine("deaf", func(_ context.Context, in builtin.SleepInput) (nothing, error) {
			time.Sleep(time.Duration(in.DurationMs) * time.Millisecond)
			return nothing{}, nil
		}),
		executor.MustDefine("echo", func(_ context.Context, in map[string]any) (map[string]any, error) { return in, nil }),
	)
}

func runPrint(ctx context.Context, in printInput) (nothing, error) {
	for i, pieces := range [][]string{in.Stdout, in.Stderr} {
		for _, piece := range pieces {
			text, err := base64.StdEncoding.DecodeString(piece)
			if err != nil {
				return nothing{}, err
			}
			if _, err := executor.Output(ctx, schema.Stream(i)).Write(bytes.Repeat(text, max(in.Repeat, 1))); err != nil {
				return nothing{}, err
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return nothing{}, context.Cause(ctx)
			}
		}
	}
	return nothing{}, nil
}

package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// listed is a shared store that knows the executors.
type listed struct {
	shared
	executors []schema.ExecutorInfo
}

func (l *listed) Executors(context.Context) ([]schema.ExecutorInfo, error) { return l.executors, nil }

// An executor that runs nothing leaves all to others, and says for whom a task waits.
func TestAnExecutorThatRunsNothing(t *testing.T) {
	store := &listed{}
	open := func() executor.Store {
		store.shared = shared{memory.New(memory.Options{})}
		return store
	}
	withStore(t, executor.Options{Limit: -1}, open, func(r *rig) {
		waitsFor := func(id schema.WaitingKind, message string) {
			r.Helper()
			queued, err := r.List(r.Context(), executor.Filter{States: []schema.State{schema.Queued}}, executor.PageRequest{Limit: 1})
			require.NoError(r, err)
			w := r.task(queued.Tasks[0].ID).WaitingFor
			require.Len(r, w, 1)
			require.Equal(r, id, w[0].Kind)
			require.Contains(r, w[0].Message, message)
		}
		require.Equal(r, 0, r.Limit())
		id := r.submit(nap(10 * time.Second))
		r.pass(time.Minute)
		r.inState(id, schema.Queued)
		waitsFor(schema.WaitsForType, `no executor that is there begins tasks of the type "nap"`)
		store.executors = []schema.ExecutorInfo{{Types: []string{"fail"}, Limit: 1}, {Types: []string{"nap"}, Limit: 1}}
		waitsFor(schema.WaitsForSlot, "about to begin")

		other, err := executor.New(r.store, executor.Options{Limit: 1, Types: testTypes()})
		require.NoError(r, err)
		over := make(chan error)
		go func() { over <- other.Run(r.Context()) }()
		r.pass(time.Second)
		r.inState(id, schema.Running)
		r.submit(nap(time.Second))
		store.executors[1].Running = 1
		waitsFor(schema.WaitsForSlot, "no slot of an executor is free: the limits are 1 together")

		disconnected := r.Connected()
		idle, err := r.Idle(r.Context())
		require.NoError(r, err)
		require.False(r, idle)
		disconnected()
		idle, err = r.Idle(r.Context())
		require.NoError(r, err)
		require.True(r, idle, "what others run is theirs")
		end := r.shutdown(schema.ShutdownCancel, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{}, end.result)
		r.inState(id, schema.Running)
		other.Begin(schema.ShutdownFinish)
		require.NoError(r, <-over)
	})
}

// What nobody else runs has an executor that runs it.
func TestNoLimitIsForSharedStores(t *testing.T) {
	_, err := executor.New(newMemory(), executor.Options{Limit: -1})
	require.ErrorContains(t, err, "give 1 or more, or a store that processes share")
}

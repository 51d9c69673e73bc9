package executor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// shared is a store of which other executors take tasks, too.
type shared struct{ executor.Store }

func (s shared) Info() executor.StoreInfo {
	info := s.Store.Info()
	info.Shared = true
	return info
}

// TestShutdownOfASharedStore ends one of two executors: only what it runs is its
// own to end, whatever the mode.
func TestShutdownOfASharedStore(t *testing.T) {
	for _, c := range []struct {
		mode schema.ShutdownMode
		want schema.ShutdownResult
		ends schema.State
		took time.Duration
	}{
		{schema.ShutdownDrain, schema.ShutdownResult{Completed: 1}, schema.Completed, 9 * time.Second},
		{schema.ShutdownFinish, schema.ShutdownResult{Completed: 1}, schema.Completed, 9 * time.Second},
		{schema.ShutdownCancel, schema.ShutdownResult{Cancelled: 1}, schema.Cancelled, 0},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			open := func() executor.Store { return shared{memory.New(memory.Options{})} }
			withStore(t, executor.Options{Limit: 1}, open, func(r *rig) {
				mine := r.submit(nap(10 * time.Second))
				r.inState(mine, schema.Running)
				other, err := executor.New(r.store, executor.Options{Limit: 1, Types: testTypes()})
				require.NoError(r, err)
				over := make(chan error)
				go func() { over <- other.Run(r.Context()) }()
				theirs, queued := r.submit(nap(30*time.Second)), r.submit(nap(time.Second))
				r.pass(time.Second)
				r.inState(theirs, schema.Running)
				end := r.shutdown(c.mode, 0)
				<-end.done
				require.Equal(r, c.want, end.result)
				require.Equal(r, c.took, end.after)
				r.inState(mine, c.ends)
				r.inState(theirs, schema.Running)
				r.inState(queued, schema.Queued)
				r.pass(time.Minute)
				r.inState(theirs, schema.Completed)
				r.inState(queued, schema.Completed)
				other.Begin(schema.ShutdownFinish)
				require.NoError(r, <-over)
			})
		})
	}
}

// What another executor runs of a shared store keeps this one from nothing.
func TestIdleBesideOthers(t *testing.T) {
	open := func() executor.Store { return shared{memory.New(memory.Options{})} }
	withStore(t, executor.Options{Limit: 1}, open, func(r *rig) {
		r.inState(r.submit(nap(10*time.Second)), schema.Running)
		other, err := executor.New(r.store, executor.Options{Limit: 1, Types: testTypes()})
		require.NoError(r, err)
		over := make(chan error)
		go func() { over <- other.Run(r.Context()) }()
		r.pass(time.Second)
		for e, want := range map[*executor.Executor]bool{r.Executor: false, other: true} {
			idle, err := e.Idle(r.Context())
			require.NoError(r, err)
			require.Equal(r, want, idle)
		}
		other.Begin(schema.ShutdownFinish)
		require.NoError(r, <-over)
	})
}

// A server that has not the type of a schedule leaves what is due to those that have it.
func TestSchedulesOfATypeThatOthersHave(t *testing.T) {
	open := func() executor.Store { return shared{memory.New(memory.Options{})} }
	withStore(t, executor.Options{Limit: 1}, open, func(r *rig) {
		elsewhere := executor.MustDefine("elsewhere", func(context.Context, empty) (empty, error) { return empty{}, nil })
		other, err := executor.New(r.store, executor.Options{Limit: 1, Types: []executor.Type{elsewhere}})
		require.NoError(r, err)
		_, err = other.Schedule(r.Context(), &schema.ScheduleParams{Name: "theirs", EveryMs: 60_000, Missed: schema.MissedOne, Submit: schema.ScheduledSubmit{Type: "elsewhere"}})
		require.NoError(r, err)
		r.pass(10 * time.Minute)
		require.Empty(r, r.tasksOf("theirs"))
		here := r.scheduled("theirs")
		require.Contains(r, here.Fault, `"elsewhere"`)
		require.Contains(r, here.Fault, "a server of the store that has the type makes its tasks")
		require.Zero(r, here.Skipped)
		require.Equal(r, 1, strings.Count(r.log.String(), "makes no tasks here"))

		over := make(chan error)
		go func() { over <- other.Run(r.Context()) }()
		r.pass(5 * time.Minute)
		require.Len(r, r.tasksOf("theirs"), 6)
		require.Zero(r, r.scheduled("theirs").Skipped)
		require.Equal(r, 1, strings.Count(r.log.String(), "makes no tasks here"), "it is told once")
		other.Begin(schema.ShutdownFinish)
		require.NoError(r, <-over)
	})
}

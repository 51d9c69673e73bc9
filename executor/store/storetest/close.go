package storetest

import (
	"errors"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var closeContracts = []contract{
	{name: "ends the claims that wait", test: closeWakes},
	{name: "ends the watchers", test: closeWatchers},
	{name: "ends the leases", test: closeLeases},
	{name: "answers every finish", test: closeAnswersFinish},
	{name: "every method answers ErrClosed", test: closeAnswers},
}

func closeWakes(f *fixture) {
	waiting := []*claimer{f.claimer(nil), f.claimer(nil), f.claimer(limits)}
	require.True(f, waiting[2].waits())
	require.NoError(f, f.store.Close())
	for _, c := range waiting {
		c.wait()
		require.ErrorIs(f, c.err, executor.ErrClosed)
	}
}

func closeAnswers(f *fixture) {
	id := f.one()
	c := f.join(nil, "plain")
	require.NoError(f, f.store.Close())
	ctx := f.Context()
	for name, call := range map[string]func() error{
		"submit": func() error { _, err := f.store.Submit(ctx, []executor.Submission{task()}); return err },
		"get":    func() error { _, err := f.store.Get(ctx, id); return err },
		"list": func() error {
			_, err := f.store.List(ctx, executor.Filter{}, executor.PageRequest{Limit: 1})
			return err
		},
		"cancel": func() error { _, err := f.store.Cancel(ctx, []uuid.UUID{id}, executor.Cancellation{}); return err },
		"join":   func() error { _, err := f.store.Join(ctx, executor.Offer{}); return err },
		"claim":  func() error { _, err := c.Claim(ctx, executor.Ended{}); return err },
		"count":  func() error { _, err := c.Unclaimable(ctx, 0); return err },
		"output": func() error {
			_, err := f.store.Output(ctx, id, schema.Stdout, executor.OutputRange{Limit: 1})
			return err
		},
		"watch":  func() error { _, err := f.store.Watch(ctx); return err },
		"replay": func() error { _, err := f.store.Replay(ctx, 0, 1, 1); return err },
		"counts": func() error { _, err := f.store.Counts(ctx); return err },
	} {
		require.ErrorIs(f, call(), executor.ErrClosed, name)
	}
	require.NoError(f, f.store.Close(), "a second time is as the first")
}

// closeWatchers has one that waits, and one with events that were not read.
func closeWatchers(f *fixture) {
	waits, reads := f.watch(), f.watchAll()
	f.live()
	got := make(chan error, 1)
	go func() {
		_, err := waits.Next(f.Context())
		got <- err
	}()
	f.idle()
	require.Empty(f, got)
	require.NoError(f, f.store.Close())
	require.ErrorIs(f, <-got, executor.ErrClosed)
	for err := error(nil); !errors.Is(err, executor.ErrClosed); { // what it has may come first
		_, err = reads.Next(f.Context())
	}
	_, _, err := reads.Subscribe(f.Context(), executor.Selector{Events: executor.AllEvents})
	require.ErrorIs(f, err, executor.ErrClosed)
	require.ErrorIs(f, reads.Follow(f.Context(), uuid.New(), executor.AllEvents), executor.ErrClosed)
	require.ErrorIs(f, reads.Barrier(f.Context()), executor.ErrClosed)
	_, err = reads.Next(f.Context())
	require.ErrorIs(f, err, executor.ErrClosed)
	reads.Close()
}

func closeLeases(f *fixture) {
	f.one()
	lease := f.claim()
	require.NoError(f, f.store.Close())
	for name, err := range map[string]error{
		"started":  lease.Started(7),
		"progress": lease.Progress(schema.Progress{Value: 1}),
		"write":    lease.Write(schema.Stdout, []byte("late")),
		"finish":   finished(lease, completed),
	} {
		require.True(f, errors.Is(err, executor.ErrClosed) || errors.Is(err, executor.ErrLeaseLost), "%s: %v", name, err)
	}
	lease.Release()
}

// closeAnswersFinish closes the store while many tasks end.
func closeAnswersFinish(f *fixture) {
	const tasks = 100
	f.accept(numbered(tasks)...)
	said := make(chan error, 2*tasks)
	begun := make(chan struct{}, tasks)
	for range tasks {
		lease := f.claim()
		go func() {
			begun <- struct{}{}
			lease.Finish(completed, func(err error) { said <- err })
			lease.Release()
		}()
	}
	for range tasks / 2 {
		<-begun
	}
	require.NoError(f, f.store.Close())
	f.until("the answer of each", func() bool { return len(said) >= tasks })
	f.idle()
	require.Len(f, said, tasks, "each is told once")
	for range tasks {
		err := <-said
		require.True(f, err == nil || errors.Is(err, executor.ErrClosed) || errors.Is(err, executor.ErrStoreUnavailable), err)
	}
}

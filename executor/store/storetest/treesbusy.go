package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file cancels trees that change meanwhile, and by callers that give up.

var busyTreeContracts = []contract{
	{name: "cancels children that come while it goes down a tree", test: treeGrows},
	{name: "goes down a tree for a caller that has given up", test: treeGivenUp},
}

// treeGrows gives each child of a task a child of its own while the task is cancelled.
func treeGrows(f *fixture) {
	root := f.one()
	children := f.accept(numbered(1500, partOf(root))...)
	var grandchildren []uuid.UUID
	var growing sync.WaitGroup
	growing.Go(func() {
		for some := range slices.Chunk(children, 10) {
			var all []executor.Submission
			for _, id := range slices.Backward(some) {
				all = append(all, task(partOf(id)))
			}
			answers, err := f.store.Submit(f.Context(), all)
			require.NoError(f, err)
			for i := range answers {
				if answers[i].Err == nil {
					grandchildren = append(grandchildren, all[i].ID)
				}
			}
		}
	})
	f.cancel(root, executor.Cancellation{})
	growing.Wait()
	f.until("nothing waits", func() bool { return f.counts().Queued == 0 })
	for _, id := range grandchildren {
		r := f.get(id)
		require.Equal(f, schema.Cancelled, r.State)
		require.Contains(f, r.CancelReason, root.String())
	}
}

// treeGivenUp has a caller whose context ends as soon as the first task below is cancelled.
func treeGivenUp(f *fixture) {
	root := f.one()
	children := f.accept(numbered(1500, partOf(root))...)
	ctx, giveUp := context.WithCancel(f.Context())
	w := f.watch()
	require.NoError(f, w.Follow(f.Context(), children[0], executor.AllEvents))
	var watching sync.WaitGroup
	watching.Go(func() {
		_, err := w.Next(f.Context())
		require.NoError(f, err)
		giveUp()
	})
	if _, err := f.store.Cancel(ctx, []uuid.UUID{root}, executor.Cancellation{}); err != nil {
		require.ErrorIs(f, err, context.Canceled)
	}
	watching.Wait()
	f.until("all are cancelled", func() bool { return f.get(children[len(children)-1]).State == schema.Cancelled })
	require.Zero(f, f.counts().Queued)
}

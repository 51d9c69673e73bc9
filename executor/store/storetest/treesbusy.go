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

// treeCancelAfter has parts that come after the root, and after another part far before them, and a
// task beside the tree that comes after a part.
func treeCancelAfter(f *fixture) {
	root := f.one()
	first := f.one(partOf(root))
	of := func(parent uuid.UUID, before ...uuid.UUID) executor.Submission {
		c := schema.Conditions{Parent: parent}
		for _, id := range before {
			c.After = append(c.After, schema.Dependency{ID: id})
		}
		return task(onlyIf(c))
	}
	var all []executor.Submission
	for range 300 { // more than are cancelled at a time
		all = append(all, of(root))
	}
	last := of(root, first)
	all = append(all, of(root, root), last, of(last.ID, root), of(last.ID, last.ID))
	beside := of(uuid.Nil, first)
	f.accept(append(all, beside)...)
	f.cancel(root, executor.Cancellation{})
	for _, s := range all[300:] {
		f.cancelledWith(s.ID, root, "")
	}
	f.until("the task beside the tree has ended", func() bool { return f.get(beside.ID).State.Final() })
	require.Equal(f, schema.KindDependency, f.get(beside.ID).Error.Kind)
	require.Equal(f, int64(305), f.counts().Below)
	require.Equal(f, int64(1), f.counts().Unrun)
}

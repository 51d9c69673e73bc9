package storetest

import (
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var treeContracts = []contract{
	{name: "takes children of a task that has not ended", test: treeAdmits},
	{name: "refuses children of a task that is cancelled", test: treeRefusesCancelled},
	{name: "cancels a tree", test: treeCancel},
	{name: "cancels what is below a task that has ended", test: treeCancelEnded},
	{name: "cancels what is below a task that is no longer kept", limits: Limits{Keep: -1}, test: treeCancelForgotten},
	{name: "cancels what is below a task that is replaced", test: treeReplaced},
	{name: "cancels a large tree with force", test: treeLarge},
	{name: "cancels what comes after tasks of its tree", test: treeCancelAfter},
	{name: "leaves the children of a task that ends", test: treeEnds},
	{name: "bounds the depth of a tree", test: treeDepth},
	{name: "walks through what is below a task", limits: Limits{Keep: 1}, test: treeWalk},
	{name: "lists children", test: treeList},
	{name: "counts children", test: treeCounts},
	{name: "shows the progress of a task by that of its children", test: treeProgress},
	{name: "tells the progress of a task by that of its children", test: treeProgressTold},
	{name: "tells such progress at a pace", test: treeProgressPace},
	{name: "forgets children with their tasks", limits: Limits{Keep: 2}, test: treeForgets},
}

var restartTreeContracts = []contract{
	{name: "keeps trees", test: restartTree},
	{name: "walks through trees that it has found", test: restartTreeWalk},
	{name: "keeps the children of a task that has ended", test: restartTreeEnded},
}

// partOf makes a task a child.
func partOf(parent uuid.UUID) func(*executor.Submission) {
	return onlyIf(schema.Conditions{Parent: parent})
}

// refusesChild holds that a task can have no child.
func (f *fixture) refusesChild(parent uuid.UUID, why string) {
	f.Helper()
	a := f.submit(task(partOf(parent)))[0]
	require.ErrorContains(f, a.Err, why)
	require.ErrorContains(f, a.Err, "params at /parent: "+parent.String())
}

// cancelledWith holds that a task was cancelled because of one above it.
func (f *fixture) cancelledWith(id, root uuid.UUID, reason string) {
	f.Helper()
	r := f.get(id)
	require.Equal(f, schema.Cancelled, r.State)
	require.Equal(f, "with "+root.String()+reason, r.CancelReason)
}

// revoked is the cause with which the task of a lease is told to stop.
func revoked(l executor.Lease) <-chan error {
	causes := make(chan error, 8)
	l.OnRevoke(func(cause error) { causes <- cause })
	return causes
}

func treeAdmits(f *fixture) {
	parent := f.one()
	child := f.one(partOf(parent))
	require.Equal(f, &schema.Conditions{Parent: parent}, f.get(child).Conditions)
	pl := f.claim()
	require.Equal(f, parent, pl.Record().ID)
	f.one(partOf(parent))
	f.refusesChild(uuid.New(), "is not known")
	twins := []executor.Submission{task(), task()}
	partOf(twins[0].ID)(&twins[1])
	f.accept(twins...)
	f.finish(pl, completed)
	f.refusesChild(parent, "has ended")
	known := task(partOf(parent))
	known.ID = child
	require.True(f, f.submit(known)[0].Existing, "it is told by its id before its parent is looked at")
}

func treeRefusesCancelled(f *fixture) {
	parent := f.one()
	l := f.claim()
	f.cancel(parent, executor.Cancellation{Reason: "no"})
	f.refusesChild(parent, "is being cancelled")
	f.finish(l, completed)
	f.refusesChild(parent, "has ended")
}

// treeCancel cancels a running task with a child that runs, one that waits, and one that has ended and
// has a child itself.
func treeCancel(f *fixture) {
	root := f.one()
	rl := f.claim()
	ended, other := f.one(partOf(root)), f.one()
	f.finish(f.claims(ended), completed)
	f.finish(f.claims(other), completed)
	runs := f.one(partOf(root))
	l := f.claims(runs)
	below := f.one(partOf(runs))
	waits := f.one(onlyIf(schema.Conditions{Parent: root, Group: "g", RunAt: in(f.of(1 << 40))}))
	aside := f.one()
	causes := revoked(l)
	require.Equal(f, schema.OutcomeCancelling, f.cancel(root, executor.Cancellation{Reason: "no need"}).Outcome)
	f.cancelledWith(below, root, ": no need")
	f.cancelledWith(waits, root, ": no need")
	require.Equal(f, schema.Completed, f.get(ended).State)
	require.Equal(f, schema.Queued, f.get(aside).State)
	require.Equal(f, &executor.Cancellation{Reason: "with " + root.String() + ": no need"}, <-causes)
	require.Equal(f, int64(2), f.counts().Below)
	f.refusesChild(runs, "is being cancelled")
	f.cancel(root, executor.Cancellation{Force: true})
	require.Equal(f, &executor.Cancellation{Reason: "with " + root.String(), Force: true}, <-causes)
	f.finish(l, executor.Outcome{State: schema.Cancelled, Error: &schema.TaskError{Kind: schema.KindCancelled}})
	f.cancelledWith(runs, root, ": no need")
	f.finish(rl, completed)
	f.finish(f.claims(aside), completed)
	require.Zero(f, f.counts().Queued+f.counts().Running)
}

func treeCancelEnded(f *fixture) {
	root := f.one()
	l := f.claim()
	child := f.one(partOf(root))
	f.finish(l, completed)
	require.Equal(f, schema.OutcomeAlreadyFinished, f.cancel(root, executor.Cancellation{}).Outcome)
	f.cancelledWith(child, root, "")
}

// treeCancelForgotten has a task between two others that is no longer kept.
func treeCancelForgotten(f *fixture) {
	root := f.one()
	rl := f.claim()
	middle := f.one(partOf(root))
	l := f.claims(middle)
	child := f.one(partOf(middle))
	f.finish(l, completed)
	cl := f.claims(child)
	causes := revoked(cl)
	f.cancel(root, executor.Cancellation{})
	require.ErrorContains(f, <-causes, root.String())
	f.finish(cl, completed)
	f.finish(rl, completed)
}

func treeReplaced(f *fixture) {
	old := f.accepted(unique(schema.DedupeReuse))
	l := f.claims(old)
	child := f.one(partOf(old))
	grandchild := f.one(partOf(child))
	next := f.accepted(unique(schema.DedupeReplace))
	f.until("what is below it is cancelled", func() bool { return f.get(grandchild).State == schema.Cancelled })
	f.cancelledWith(child, old, ": replaced by "+next.String())
	f.finish(l, failure)
	f.finish(f.claims(next), completed)
}

// treeLarge is cancelled in many pieces.
func treeLarge(f *fixture) {
	root := f.one()
	l := f.claim()
	first := f.accept(numbered(700, partOf(root))...)
	second := f.accept(numbered(700, partOf(first[3]))...)
	runs := f.claims(first[0])
	causes := revoked(runs)
	f.cancel(root, executor.Cancellation{Force: true})
	require.Equal(f, &executor.Cancellation{Reason: "with " + root.String(), Force: true}, <-causes)
	require.Equal(f, int64(1399), f.counts().Below)
	require.Equal(f, int64(1399), f.counts().Cancelled)
	require.Zero(f, f.counts().Queued)
	f.cancelledWith(second[699], root, "")
	f.finish(runs, completed)
	f.finish(l, completed)
}

func treeEnds(f *fixture) {
	parent := f.one()
	l := f.claim()
	child := f.one(partOf(parent))
	f.finish(l, failure)
	f.finish(f.claims(child), completed)
}

func treeDepth(f *fixture) {
	last := f.one()
	var all []executor.Submission
	for range executor.MaxDepth {
		s := task(partOf(last))
		all = append(all, s)
		last = s.ID
	}
	f.accept(all...)
	f.refusesChild(last, fmt.Sprintf("is at a depth of %d", executor.MaxDepth))
	one, two := task(partOf(all[len(all)-2].ID)), task()
	partOf(one.ID)(&two)
	answers := f.submit(one, two)
	require.NoError(f, answers[0].Err)
	require.ErrorContains(f, answers[1].Err, "is at a depth of")
}

func treeList(f *fixture) {
	parent, other := f.one(), f.one()
	var children []uuid.UUID
	for range 5 {
		children = append(children, f.one(partOf(parent)))
		f.one(partOf(other))
		f.one()
	}
	labelled := f.one(partOf(parent), withLabels(map[string]string{"a": "b"}))
	children = append(children, labelled)
	for limit := 1; limit <= 7; limit++ {
		require.Equal(f, children, f.list(executor.Filter{Parent: parent}, executor.PageRequest{Limit: limit, Oldest: true}))
		require.Equal(f, backwards(children), f.list(executor.Filter{Parent: parent}, executor.PageRequest{Limit: limit}))
	}
	require.Equal(f, []uuid.UUID{labelled}, f.list(executor.Filter{Parent: parent, Labels: map[string]string{"a": "b"}}, executor.PageRequest{Limit: 3}))
	f.cancel(children[1], executor.Cancellation{})
	cancelled := executor.Filter{Parent: parent, States: []schema.State{schema.Cancelled}}
	require.Equal(f, children[1:2], f.list(cancelled, executor.PageRequest{Limit: 3}))
	require.Empty(f, f.list(executor.Filter{Parent: children[0]}, executor.PageRequest{Limit: 3}))
	require.Empty(f, f.list(executor.Filter{Parent: uuid.New()}, executor.PageRequest{Limit: 3}))
}

func treeCounts(f *fixture) {
	parent := f.one()
	require.Nil(f, f.get(parent).Children)
	l := f.claim()
	var children []uuid.UUID
	for range 4 {
		children = append(children, f.one(partOf(parent)))
	}
	f.finish(f.claims(children[0]), completed)
	f.finish(f.claims(children[1]), failure)
	f.cancel(children[2], executor.Cancellation{})
	cl := f.claims(children[3])
	require.Equal(f, &schema.TaskCounts{Running: 1, Completed: 1, Failed: 1, Cancelled: 1}, f.get(parent).Children)
	cl.Retry(&executor.NextAttempt{At: schema.Now()}, func(error) {})
	cl.Release()
	f.until("it waits", func() bool { return f.get(children[3]).State == schema.Queued })
	require.Equal(f, &schema.TaskCounts{Queued: 1, Completed: 1, Failed: 1, Cancelled: 1}, f.get(parent).Children)
	f.finish(l, completed)
	require.Equal(f, &schema.TaskCounts{Queued: 1, Completed: 1, Failed: 1, Cancelled: 1}, f.get(parent).Children)
}

func treeProgress(f *fixture) {
	root := f.one()
	l := f.claim()
	require.Nil(f, f.get(root).Progress)
	middle, half := f.one(partOf(root)), f.one(partOf(root))
	shows := func(value, total float64) {
		f.Helper()
		want := &schema.Progress{Value: value, Total: total, Unit: "tasks"}
		// That of a child may be told after a commit that is under way.
		f.until("the progress of the children is known", func() bool { return reflect.DeepEqual(want, f.get(root).Progress) })
		page, err := f.store.List(f.Context(), executor.Filter{States: []schema.State{schema.Running}}, executor.PageRequest{Limit: 1, Oldest: true})
		require.NoError(f, err)
		require.Equal(f, want, page.Tasks[0].Progress)
	}
	shows(0, 2)
	ml, hl := f.claims(middle), f.claims(half)
	require.NoError(f, hl.Progress(schema.Progress{Value: 5, Total: 10}))
	shows(0.5, 2)
	require.NoError(f, hl.Progress(schema.Progress{Value: 5}))
	shows(0.5, 2)
	require.NoError(f, hl.Progress(schema.Progress{Value: 1, Total: 10}))
	shows(0.5, 2) // as at a later attempt
	below := []uuid.UUID{f.one(partOf(middle)), f.one(partOf(middle))}
	bl := f.claims(below[0])
	f.finish(bl, failure)
	shows(1, 2)
	require.NoError(f, ml.Progress(schema.Progress{Value: 3, Total: 4, Unit: "own"}))
	shows(1.25, 2)
	f.until("its own progress is known", func() bool { return f.get(middle).Progress.Unit == "own" })
	f.one(partOf(root))
	shows(1.25, 3)
	f.finish(ml, completed)
	f.finish(hl, completed)
	shows(2, 3)
	f.finish(l, completed)
	require.Nil(f, f.get(root).Progress, "it has told none")
}

func treeForgets(f *fixture) {
	parent := f.one()
	l := f.claim()
	var children []uuid.UUID
	for range 5 {
		children = append(children, f.one(partOf(parent)))
		f.finish(f.claims(children[len(children)-1]), completed)
	}
	f.until("some are forgotten", func() bool {
		kept := f.list(executor.Filter{Parent: parent}, executor.PageRequest{Limit: 10, Oldest: true})
		return len(kept) == 2 && kept[0] == children[3] && kept[1] == children[4]
	})
	require.Equal(f, &schema.TaskCounts{Completed: 5}, f.get(parent).Children)
	require.Equal(f, &schema.Progress{Value: 5, Total: 5, Unit: "tasks"}, f.get(parent).Progress)
	f.finish(l, completed)
}

func restartTree(f *fixture) {
	root := f.one(withRerun(true))
	f.claim()
	ended, child := f.one(partOf(root)), f.one(partOf(root))
	f.finish(f.claims(ended), completed)
	below := f.one(partOf(child))
	f.restart()
	require.Equal(f, []uuid.UUID{ended, child}, f.list(executor.Filter{Parent: root}, executor.PageRequest{Limit: 1, Oldest: true}))
	require.Equal(f, &schema.TaskCounts{Queued: 1, Completed: 1}, f.get(root).Children)
	late := f.one(partOf(root))
	l := f.claims(root)
	require.Equal(f, &schema.Progress{Value: 1, Total: 3, Unit: "tasks"}, f.get(root).Progress)
	f.cancel(root, executor.Cancellation{})
	for _, id := range []uuid.UUID{child, below, late} {
		f.cancelledWith(id, root, "")
	}
	require.Equal(f, int64(3), f.counts().Below, "of this opening")
	f.finish(l, completed)
}

// restartTreeEnded has children whose parent did not survive, and one whose parent was being
// cancelled.
func restartTreeEnded(f *fixture) {
	parent, other := f.one(), f.one()
	l := f.claims(parent)
	f.claims(other)
	child, below := f.one(partOf(parent)), f.one(partOf(other))
	f.finish(l, completed)
	f.restart()
	require.Equal(f, schema.KindInterrupted, f.get(other).Error.Kind)
	f.refusesChild(other, "has ended")
	f.refusesChild(parent, "has ended")
	f.finish(f.claims(child), completed)
	f.cancel(other, executor.Cancellation{})
	f.cancelledWith(below, other, "")
	f.restart()
	require.Equal(f, &schema.TaskCounts{Completed: 1}, f.get(parent).Children)
	require.Equal(f, &schema.TaskCounts{Cancelled: 1}, f.get(other).Children)
}

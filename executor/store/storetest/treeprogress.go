package storetest

import (
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// progressOf are the events of progress of a task, of those that a watcher has got until the
// latest is as wanted.
func (f *fixture) progressOf(w executor.Watcher, id uuid.UUID, value, total float64) (all []schema.Progress) {
	f.Helper()
	want := schema.Progress{Value: value, Total: total, Unit: "tasks"}
	f.until("the progress is told", func() bool {
		for _, ev := range f.drain(w) {
			if ev.ID == id && ev.Kind == executor.EventProgress {
				all = append(all, *ev.Progress)
			}
		}
		return len(all) > 0 && all[len(all)-1] == want
	})
	return all
}

func treeProgressTold(f *fixture) {
	owner, all := f.watch(), f.watchAll()
	root := f.one(ownedBy(owner, maskOf(executor.EventProgress)))
	l := f.claim()
	first, second := f.one(partOf(root)), f.one(partOf(root))
	time.Sleep(2 * executor.ProgressEvery)
	require.Empty(f, f.drain(all), "the start is told before")
	require.NoError(f, l.Started(0))
	f.progressOf(owner, root, 0, 2)
	f.progressOf(all, root, 0, 2)
	fl := f.claims(first)
	require.NoError(f, fl.Progress(schema.Progress{Value: 1, Total: 2}))
	f.progressOf(owner, root, 0.5, 2)
	f.finish(fl, failure)
	f.progressOf(owner, root, 1, 2)
	below := f.one(partOf(second))
	third := f.one(partOf(root))
	f.progressOf(owner, root, 1, 3)
	f.cancel(below, executor.Cancellation{})
	f.progressOf(owner, root, 2, 3)
	sl := f.claims(second)
	require.NoError(f, l.Progress(schema.Progress{Value: 9, Unit: "own"}))
	f.cancel(third, executor.Cancellation{})
	f.finish(sl, completed)
	time.Sleep(2 * executor.ProgressEvery)
	var own []schema.Progress
	for _, ev := range f.drain(owner) {
		own = append(own, *ev.Progress)
	}
	require.Equal(f, []schema.Progress{{Value: 9, Unit: "own"}}, own)
	f.finish(l, completed)
	events := f.drain(all)
	require.Equal(f, executor.EventFinished, events[len(events)-1].Kind)
	for i := range events[1:] {
		require.Greater(f, events[i+1].Seq, events[i].Seq)
	}
}

func treeProgressPace(f *fixture) {
	const parts = 100
	w := f.watch()
	root := f.one(ownedBy(w, maskOf(executor.EventProgress)))
	l := f.claim()
	require.NoError(f, l.Started(0))
	began := time.Now()
	for range parts {
		f.cancel(f.one(partOf(root)), executor.Cancellation{})
	}
	told := f.progressOf(w, root, parts, parts)
	require.LessOrEqual(f, len(told), 2+int(time.Since(began)/executor.ProgressEvery))
	f.finish(l, completed)
}

package storetest

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

// comesTo holds that a walk comes to a task next, or is over where that is the nil UUID.
func (f *fixture) comesTo(w *executor.TreeWalk, want uuid.UUID) {
	f.Helper()
	got, err := f.store.OpenBelow(f.Context(), w)
	require.NoError(f, err)
	require.Equal(f, want, got)
}

// treeWalk has a store that forgets a task between others.
func treeWalk(f *fixture) {
	root := f.one()
	l := f.claim()
	middle, last := f.one(partOf(root)), f.one(partOf(root))
	below := f.one(partOf(middle))
	f.finish(f.claims(middle), completed)
	f.finish(l, completed)
	_, err := f.store.Get(f.Context(), middle)
	require.ErrorIs(f, err, executor.ErrNotFound)
	w := executor.WalkBelow(root)
	f.comesTo(w, below)
	f.comesTo(w, below)
	lowest := f.one(partOf(below))
	f.cancel(last, executor.Cancellation{})
	f.finish(f.claims(below), failure)
	f.comesTo(w, lowest)
	f.finish(f.claims(lowest), completed)
	f.comesTo(w, uuid.Nil)
	f.comesTo(w, uuid.Nil)
	f.comesTo(executor.WalkBelow(root), uuid.Nil)
	f.comesTo(executor.WalkBelow(uuid.New()), uuid.Nil)
}

func restartTreeWalk(f *fixture) {
	root := f.one()
	l := f.claim()
	middle := f.one(partOf(root))
	below := f.one(partOf(middle))
	f.finish(f.claims(middle), completed)
	f.finish(l, completed)
	f.restart()
	w := executor.WalkBelow(root)
	f.comesTo(w, below)
	f.cancel(root, executor.Cancellation{})
	f.comesTo(w, uuid.Nil)
}

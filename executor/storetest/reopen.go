package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// runReopen tests that what was acknowledged is still there in the next
// process.
func runReopen(t *testing.T, o Options) {
	if o.Reopen == nil {
		t.Skip("this store leaves nothing behind when it is closed")
	}
	f := &fixture{T: t, store: o.Open(t, Limits{})}
	defer func() { require.NoError(f, f.store.Close()) }()
	done := f.ran(withInput(`{"n":1}`), withLabels(map[string]string{"k": "v"}))
	low, high := f.one(), f.one(withPriority(1))
	before := f.get(done)

	f.store = o.Reopen(t, f.store)
	require.Equal(f, before, f.get(done))
	require.True(f, f.submit(before)[0].Existing)
	require.Equal(f, high, f.claim().Record().ID)
	require.Equal(f, low, f.claim().Record().ID)
	require.Equal(f, executor.Counts{TaskCounts: schema.TaskCounts{Running: 2, Completed: 1}}, f.counts())
}

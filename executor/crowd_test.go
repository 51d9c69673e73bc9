package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
)

// Eight connections are many, and seven are not. Yield ends where nothing runs, too.
func TestManyConnectionsAreACrowd(t *testing.T) {
	r := newRig(t, executor.Options{}, memory.New(memory.Options{}))
	var left []func()
	for range 8 {
		require.False(t, r.Crowded())
		r.Yield()
		left = append(left, r.Connected())
	}
	require.True(t, r.Crowded())
	r.Yield()
	for _, leave := range left {
		leave()
		require.False(t, r.Crowded())
	}
	require.NoError(t, r.store.Close())
}

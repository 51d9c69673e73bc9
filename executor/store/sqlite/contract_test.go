package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/storetest"
)

// TestContract has a disk that stops as if the process were killed.
func TestContract(t *testing.T) { testContract(t, windowTasks) }

// TestContractOfABacklog has the record of only one waiting task of each type and priority in
// memory.
func TestContractOfABacklog(t *testing.T) {
	if slower > 1 {
		t.Skip("the race detector watches the same tests without a backlog")
	}
	testContract(t, 1)
}

func testContract(t *testing.T, window int) {
	disks := map[executor.Store]*faultvfs.VFS{}
	open := func(t *testing.T, o Options) executor.Store {
		v := faultvfs.New(t, faultvfs.Options{})
		o.VFS, o.window = v.Name(), window
		s := openContract(t, o)
		disks[s] = v
		return s
	}
	storetest.Run(t, storetest.Options{
		Open: func(t *testing.T, l storetest.Limits) executor.Store { return open(t, contractOptions(t, l)) },
		Reopen: func(t *testing.T, s executor.Store) executor.Store {
			require.NoError(t, s.Close())
			return open(t, s.(*Store).options)
		},
		Relimit: func(t *testing.T, s executor.Store, l storetest.Limits) executor.Store {
			require.NoError(t, s.Close())
			o := contractOptions(t, l)
			o.Path = s.(*Store).path
			return open(t, o)
		},
		Crash: func(t *testing.T, s executor.Store) executor.Store {
			disks[s].Cut()
			_ = s.Close() // which fails if something was under way
			return open(t, s.(*Store).options)
		},
	})
}

// TestContractInRealTime is of no bubble, as for a store that talks to another process, and of a
// real disk.
func TestContractInRealTime(t *testing.T) {
	if slower > 1 {
		t.Skip("the race detector watches the same tests in bubbles")
	}
	storetest.Run(t, storetest.Options{
		Open: func(t *testing.T, l storetest.Limits) executor.Store { return openContract(t, contractOptions(t, l)) },
		Reopen: func(t *testing.T, s executor.Store) executor.Store {
			require.NoError(t, s.Close())
			return openContract(t, s.(*Store).options)
		},
		RealTime: true, Parallel: true,
	})
}

func openContract(t *testing.T, o Options) *Store {
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	return s
}

func contractOptions(t *testing.T, l storetest.Limits) Options {
	return Options{
		Path: filepath.Join(t.TempDir(), "tasks.db"), companyDelay: -1, // so that tests need not wait for it
		Keep: l.Keep, KeepFor: l.KeepFor, KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs, MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput,
	}
}

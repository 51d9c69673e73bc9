package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, contractOptions(0)) }

// TestContractOfABacklog has few records in memory.
func TestContractOfABacklog(t *testing.T) { storetest.Run(t, contractOptions(smallWindow)) }

// TestContractInRealTime is of no bubble, as for a store that talks to another process.
func TestContractInRealTime(t *testing.T) {
	o := contractOptions(0)
	o.RealTime = true
	storetest.Run(t, o)
}

func contractOptions(window int) storetest.Options {
	return storetest.Options{
		Open: func(t *testing.T, l storetest.Limits) executor.Store {
			s, err := Open(t.Context(), Options{
				Path: filepath.Join(t.TempDir(), "tasks.db"),
				Keep: l.Keep, KeepFor: l.KeepFor, KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs, MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput, window: window,
			})
			require.NoError(t, err)
			return s
		},
		Reopen: func(t *testing.T, s executor.Store) executor.Store {
			require.NoError(t, s.Close())
			again, err := Open(t.Context(), s.(*Store).options)
			require.NoError(t, err)
			return again
		},
	}
}

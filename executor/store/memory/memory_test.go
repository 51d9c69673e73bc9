package memory_test

import (
	"testing"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, contractOptions()) }

// TestContractInRealTime is of no bubble, as for a store that talks to another process.
func TestContractInRealTime(t *testing.T) {
	o := contractOptions()
	o.RealTime = true
	storetest.Run(t, o)
}

func contractOptions() storetest.Options {
	return storetest.Options{
		Open: func(_ *testing.T, l storetest.Limits) executor.Store {
			return memory.New(memory.Options{
				Keep: l.Keep, KeepFor: l.KeepFor, KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs, MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput,
			})
		},
	}
}

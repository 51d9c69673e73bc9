package memory_test

import (
	"strconv"
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

// BenchmarkCancelTree cancels trees of tasks.
func BenchmarkCancelTree(b *testing.B) {
	for _, tasks := range []int{10_000, 100_000} {
		b.Run(strconv.Itoa(tasks), func(b *testing.B) {
			storetest.CancelTree(b, func(*testing.B) executor.Store { return memory.New(memory.Options{Keep: 200_000}) }, tasks)
		})
	}
}

package outbox_test

import (
	"testing"
	"testing/synctest"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
)

// In front of a store that is there, the outbox is that store.
func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Options{
		Open: func(_ *testing.T, l storetest.Limits) executor.Store {
			w := newWorld(memory.Options{
				Keep: l.Keep, KeepFor: l.KeepFor, KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs, MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput,
			})
			w.closes = true
			s := start(&disk{}, w, forever())
			synctest.Wait()
			return s
		},
	})
}

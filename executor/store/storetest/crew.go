package storetest

import (
	"context"
	"sync"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// crew lets workers run tasks as an executor does: none waits until the end of
// its task is recorded before it claims the next. The function that it answers
// waits until nothing is left to run, and ends them.
func (f *fixture) crew(workers int) (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	for range workers {
		all.Go(func() {
			for {
				l, err := f.claimers.claim(ctx, f.store, limits)
				if err != nil {
					return
				}
				note(l.Started(1))
				note(l.Progress(schema.Progress{Value: 1}))
				note(l.Write(schema.Stdout, []byte("text")))
				l.Finish(completed, note)
				l.Release()
			}
		})
	}
	return func() {
		f.Helper()
		synctest.Wait()
		cancel()
		all.Wait()
		for _, err := range errs {
			require.NoError(f, err)
		}
	}
}

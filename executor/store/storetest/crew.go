package storetest

import (
	"context"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// crew lets workers run tasks as an executor does: none waits until the end of
// its task is recorded before it claims the next. The function that it answers
// waits until nothing is left to run, and ends them.
func (f *fixture) crew(workers int) (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	var all, ends sync.WaitGroup
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
				ends.Add(1)
				l.Finish(completed, func(err error) {
					defer ends.Done()
					note(err)
				})
				l.Release()
			}
		})
	}
	return func() {
		f.Helper()
		left := func() int64 {
			c := f.counts()
			return c.Queued + c.Running
		}
		for n := left(); n > 0; n = left() { // each may take its time on a slow machine
			f.until("the end of another one that is left to run", func() bool { return left() < n })
		}
		cancel()
		all.Wait()
		ends.Wait()
		for _, err := range errs {
			require.NoError(f, err)
		}
	}
}

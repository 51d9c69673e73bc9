package executor

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/jobline/jobline/schema"
)

// Directory is what a store that processes share is, too: it knows them.
type Directory interface {
	// Executors answers the processes that have joined, sorted by name.
	Executors(ctx context.Context) ([]schema.ExecutorInfo, error)
}

// Executors answers the processes that run tasks of the store, sorted by name.
func (e *Executor) Executors(ctx context.Context) ([]schema.ExecutorInfo, error) {
	if d, shared := e.store.(Directory); shared {
		return d.Executors(ctx)
	}
	running := 0
	for i := range e.workers {
		if e.workers[i].busy() {
			running++
		}
	}
	host, _ := os.Hostname() // without a name it is shown as none
	now := schema.Now()
	return []schema.ExecutorInfo{{
		Name: ProcessName(), Host: host, PID: os.Getpid(), Self: true, Limit: e.options.Limit, Types: slices.Sorted(slices.Values(e.runnable())), Labels: e.options.Labels, Running: running,
		Since: schema.TimeOf(e.began), BeatAt: now,
	}}, nil
}

// ProcessName is what this process is called among others: by its machine and its number there.
func ProcessName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/jobline/jobline/schema"
)

// This file has what is of an executor that runs nothing itself.

// slots is how many tasks an executor runs at once with a limit of its options.
func slots(limit int, info StoreInfo) (int, error) {
	switch {
	case limit == 0:
		return runtime.NumCPU(), nil
	case limit < 0 && !info.Shared:
		return 0, errors.New("a limit of no tasks: nothing of this store would ever run; give 1 or more, or a store that processes share")
	}
	return max(limit, 0), nil
}

// Limit is the most tasks that run at once.
func (e *Executor) Limit() int { return e.options.Limit }

// drives reports whether the executor runs nothing itself.
func (e *Executor) drives() bool { return e.options.Limit == 0 }

// waitsForOthers says what a task waits for that may run, where nothing runs here.
func (e *Executor) waitsForOthers(ctx context.Context, typ string) schema.Waiting {
	all, err := e.Executors(ctx)
	if err != nil {
		return schema.Waiting{Kind: schema.WaitsForSlot, Message: "it waits for an executor"}
	}
	all = slices.DeleteFunc(all, func(i schema.ExecutorInfo) bool { return i.Types != nil && !slices.Contains(i.Types, typ) })
	limit, running := int64(0), 0
	for i := range all {
		if x := &all[i]; !x.Draining {
			limit, running = limit+int64(x.Limit), running+x.Running
		}
	}
	switch {
	case limit == 0 && len(all) > 0:
		takes := fmt.Sprintf("tasks of the type %q", typ)
		return schema.Waiting{Kind: schema.WaitsForType, Name: typ, Message: drainingText(all, "takes "+takes, "take "+takes)}
	case limit == 0:
		return schema.Waiting{
			Kind: schema.WaitsForType, Name: typ,
			Message: fmt.Sprintf("no executor that is there begins tasks of the type %q; start a server that does, without --limit 0", typ),
		}
	case int64(running) >= limit:
		return schema.Waiting{
			Kind: schema.WaitsForSlot, Count: running, Total: &limit, Message: fmt.Sprintf("no slot of an executor is free: the limits are %d together", limit),
		}
	}
	return schema.Waiting{Kind: schema.WaitsForSlot, Message: "it is about to begin"}
}

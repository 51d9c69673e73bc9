package executor

import (
	"context"
	"os"
	"time"

	"github.com/jobline/jobline/schema"
)

// Limits are the limits of the executor and of its store, by name.
func (e *Executor) Limits() map[string]int64 {
	limits := e.store.Info().Limits
	return map[string]int64{
		"running":     int64(e.options.Limit),
		"graceMs":     e.options.Grace.Milliseconds(),
		"resultBytes": int64(e.options.MaxResult),
		"queuedTasks": int64(limits.QueuedTasks),
		"outputBytes": int64(limits.OutputBytes),
		"keepTasks":   int64(limits.KeepTasks),
		"keepForMs":   limits.KeepFor.Milliseconds(),
		"keepBytes":   limits.KeepBytes,
		"keepIds":     int64(limits.KeepIDs),
		"secretBytes": MaxSecretBytes,
		"inputBytes":  MaxInputBytes,
	}
}

// Stats is the executor in numbers. What is of a connection is not set, and
// neither is Containment: the method of that name answers it.
func (e *Executor) Stats(ctx context.Context) (schema.StatsResult, error) {
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return schema.StatsResult{}, err
	}
	info := e.store.Info()
	totals := e.rates.sums()
	totals.Evicted = counts.Evicted
	totals.Failed += counts.Unrun
	totals.Cancelled += counts.Below + counts.Replaced
	return schema.StatsResult{
		Store:        schema.StoreStats{Name: info.Name, Durable: info.Durable, File: info.File, Fault: info.Fault, Warning: info.Warning, Outbox: e.outboxState()},
		UptimeMs:     time.Since(e.began).Milliseconds(),
		StartedAt:    schema.TimeOf(e.began),
		PID:          os.Getpid(),
		Connections:  e.connections.Load(),
		Tasks:        counts.TaskCounts,
		Totals:       totals,
		Stuck:        e.stuck.Load(),
		Paused:       info.Paused,
		ShuttingDown: e.stop.begun(),
		Rates:        e.rates.perSecond(),
		Limits:       e.Limits(),
	}, nil
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// This file measures a durable store next to what the disk can do.

// rawTime is how long the disk alone is measured, before and after.
const rawTime = 300 * time.Millisecond

// benchStore measures pipelined tasks whose submit and end are both on disk
// when they are told of, one task at a time, and a start with tasks that wait.
func benchStore(ctx context.Context, b *bench) (err error) {
	dir, err := os.MkdirTemp(b.storeDir, "jobline-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // Join takes ".." behind a link for the parent by name
		return err
	}
	file := filepath.Join(dir, "tasks.db")
	server, err := startServer(ctx, "--store="+file)
	if err != nil {
		return err
	}
	defer server.end()
	n := b.share(10, 100)
	if _, err := server.pour(submitLines(0, 100, noopParams), func() error { return server.awaitBoth(100, 100) }); err != nil {
		return err
	}
	before, err := syncSamples(dir)
	if err != nil {
		return err
	}
	took, err := server.pour(submitLines(0, n, noopParams), func() error { return server.awaitBoth(n, n) })
	if err != nil {
		return err
	}
	after, err := syncSamples(dir)
	if err != nil {
		return err
	}
	raw := (rate(before) + rate(after)) / 2
	b.record("durable noop tasks, pipelined on one connection", "tasks/s", perSecond(n, took))
	b.record("append of 4 KiB and sync, one after the other", "syncs/s", raw)
	b.record("durable noop to syncs", "times", perSecond(n, took)/raw)
	if err := b.benchStoreLatency(server, dir); err != nil {
		return err
	}
	return b.benchStoreStart(ctx, dir)
}

// benchStoreLatency measures one durable task at a time: two syncs each.
func (b *bench) benchStoreLatency(server *peer, dir string) error {
	line := submitLines(1, 1, noopParams)
	tasks, err := samplesOf(b.share(1000, 20), func() error {
		if _, err := server.in.Write(line); err != nil {
			return err
		}
		return server.awaitBoth(1, 1)
	})
	if err != nil {
		return err
	}
	raw, err := syncSamples(dir)
	if err != nil {
		return err
	}
	b.recordLatency("durable noop task, one at a time", tasks)
	b.record("durable noop to a sync, one at a time, p50", "times", float64(percentile(tasks, 0.5))/float64(percentile(raw, 0.5)))
	return nil
}

// benchStoreStart measures the first reply of a server whose store has tasks
// that wait behind one that does not end.
func (b *bench) benchStoreStart(ctx context.Context, dir string) error {
	const waiting = 10_000
	file := "--store=" + filepath.Join(dir, "waiting.db")
	server, err := startServer(ctx, file, "--limit=1")
	if err != nil {
		return err
	}
	defer server.end()
	long := submitLines(0, 1, `{"type":"sleep","input":{"durationMs":86400000},"priority":1,"events":[]}`)
	lines := append(long, submitLines(1, waiting, noopParams)...)
	if _, err := server.pour(lines, func() error { return server.awaitBoth(waiting+1, 0) }); err != nil {
		return err
	}
	server.end()
	began := time.Now()
	again, err := startServer(ctx, file, "--limit=1")
	if err != nil {
		return err
	}
	defer again.end()
	if _, err := again.ask([]byte(`{"jsonrpc":"2.0","id":0,"method":"stats"}` + "\n")); err != nil {
		return err
	}
	b.record(fmt.Sprintf("start to the first reply after kill -9, %d tasks waiting", waiting), "ms", micros(time.Since(began))/1000)
	return nil
}

// syncSamples times appends of 4 KiB that are each synced.
func syncSamples(dir string) (samples []int64, err error) {
	f, err := os.CreateTemp(dir, "raw-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, 4096)
	for total := time.Duration(0); total < rawTime; {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := syncData(f); err != nil {
			return nil, err
		}
		took := time.Since(began)
		samples, total = append(samples, int64(took)), total+took
	}
	return samples, nil
}

// rate is how many of the samples there are in a second.
func rate(samples []int64) float64 {
	var sum int64
	for _, ns := range samples {
		sum += ns
	}
	return float64(len(samples)) / time.Duration(sum).Seconds()
}

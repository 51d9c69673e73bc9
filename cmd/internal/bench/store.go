package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// This file measures a durable store next to what the disk can do. A task
// counts when its submit and its end are both on the disk.

// rawTime is how long the disk alone is measured, before and after each load.
const rawTime = 300 * time.Millisecond

// benchStore measures pipelined tasks, one task at a time, and a start with
// tasks that wait.
func benchStore(ctx context.Context, b *bench) error {
	return b.withServer(ctx, true, nil, func(server *peer, dir string) error {
		if _, err := server.pour(submitLines(0, 100, noopParams), func() error { return server.awaitBoth(100, 100) }); err != nil {
			return err
		}
		if err := b.benchStoreSpeed(server, dir); err != nil {
			return err
		}
		if err := b.benchStoreLatency(server, dir); err != nil {
			return err
		}
		return b.benchStoreStart(ctx, dir)
	})
}

// benchStoreSpeed measures tasks that are all written at once, and then those
// of clients that wait for ends before they write on. More syncs are shared
// the more tasks are under way.
func (b *bench) benchStoreSpeed(server *peer, dir string) error {
	n := b.share(10, 100)
	before, err := syncSamples(dir)
	if err != nil {
		return err
	}
	cpu := cpuOf(server.cmd.Process.Pid)
	took, err := server.pour(submitLines(0, n, noopParams), func() error { return server.awaitBoth(n, n) })
	if err != nil {
		return err
	}
	cpu = cpuOf(server.cmd.Process.Pid) - cpu
	after, err := syncSamples(dir)
	if err != nil {
		return err
	}
	raw := (rate(before) + rate(after)) / 2
	b.record("durable noop tasks, pipelined on one connection", "tasks/s", perSecond(n, took))
	b.record("append of 4 KiB and sync, one after the other", "syncs/s", raw)
	b.record("durable noop to syncs", "times", perSecond(n, took)/raw)
	if canMeasure {
		b.record("server's CPU per durable noop task", "us", micros(cpu)/float64(n))
	}
	for _, window := range windows {
		name := fmt.Sprintf("durable noop tasks, at most %d under way", window)
		windowed, err := b.recordWindow(server, name, window, n/4)
		if err != nil {
			return err
		}
		b.record(name+", to syncs", "times", windowed/raw)
	}
	return nil
}

// latencyPieces is in how many pieces tasks and syncs are measured, in turns.
const latencyPieces = 5

// benchStoreLatency measures one durable task at a time: two syncs each.
func (b *bench) benchStoreLatency(server *peer, dir string) error {
	line := submitLines(1, 1, noopParams)
	var tasks, raw []int64
	for range latencyPieces {
		piece, err := samplesOf(b.share(1000, 20)/latencyPieces, func() error { return server.runOne(line) })
		if err != nil {
			return err
		}
		tasks = append(tasks, piece...)
		if piece, err = syncSamples(dir); err != nil {
			return err
		}
		raw = append(raw, piece...)
	}
	b.recordLatency("durable noop task, one at a time", tasks)
	b.recordLatency("append of 4 KiB and sync", raw)
	b.record("durable noop to a sync, one at a time, p50", "times", float64(percentile(tasks, 0.5))/float64(percentile(raw, 0.5)))
	return nil
}

// benchStoreStart measures the first reply of a server whose store has tasks
// that wait behind one that does not end.
func (b *bench) benchStoreStart(ctx context.Context, dir string) error {
	const waiting = 10_000
	file := "--store=" + filepath.Join(dir, "waiting.db")
	server, err := b.startServer(ctx, file, "--limit=1")
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
	again, err := b.startServer(ctx, file, "--limit=1")
	if err != nil {
		return err
	}
	defer again.end()
	if _, err := again.ask(statsLine); err != nil {
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
	for total := time.Duration(0); total < rawTime; {
		began := time.Now()
		if err := appendSynced(f); err != nil {
			return nil, err
		}
		took := time.Since(began)
		samples, total = append(samples, int64(took)), total+took
	}
	return samples, nil
}

// appendSynced appends 4 KiB to a file, and syncs it.
func appendSynced(f *os.File) error {
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return err
	}
	return syncData(f)
}

// rate is how many of the samples there are in a second.
func rate(samples []int64) float64 {
	var sum int64
	for _, ns := range samples {
		sum += ns
	}
	return float64(len(samples)) / time.Duration(sum).Seconds()
}

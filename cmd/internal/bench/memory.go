package bench

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"
)

// This file measures what tasks cost while they wait and when they are kept.

// blockerParams begins the parameters of a task that holds a slot. Its id
// follows.
const blockerParams = `{"type":"sleep","input":{"durationMs":86400000},"events":["finished"],"id":"`

// idOf is the id of the n-th task of a kind: chosen here, so that it is known.
func idOf(kind, n int) string { return fmt.Sprintf("%08x-0000-7000-8000-%012x", kind, n) }

// The kinds of ids.
const (
	kindBlocker = 1
	kindQueued  = 2
)

// benchMemory queues tasks behind blocked slots, measures their memory and
// how a full queue answers, and lets them run. A quarter, a half and all of
// them show whether the time to run them is linear.
func benchMemory(ctx context.Context, b *bench) error {
	for _, part := range []int{4, 2, 1} {
		if err := b.drain(ctx, b.share(part, 20), part == 1); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) drain(ctx context.Context, n int, all bool) error {
	server, err := b.startServer(ctx, "--max-queued="+strconv.Itoa(n+benchLimit)) // a blocker may still be queued
	if err != nil {
		return err
	}
	defer server.end()
	if err := server.block(); err != nil {
		return err
	}
	before := residentOf(server.cmd.Process.Pid)
	took, err := server.fill(n)
	if err != nil {
		return err
	}
	left := n
	if all {
		b.recordMemory("memory per queued task", before, server, n)
		b.record("submit of queued tasks", "tasks/s", perSecond(n, took))
		gone, err := b.askFullQueue(server, n)
		if err != nil {
			return err
		}
		left -= gone
	}
	took, err = server.pour(cancelLines(kindBlocker, 0, benchLimit), func() error {
		return server.awaitBoth(benchLimit, benchLimit+left)
	})
	if err != nil {
		return err
	}
	b.record(fmt.Sprintf("time to run %s queued tasks, per task", grouped(int64(n))), "us", micros(took)/float64(left))
	return nil
}

// benchQueued measures the memory of a fifth of the tasks while they wait, in
// memory and with a store.
func benchQueued(ctx context.Context, b *bench) error {
	n := b.share(5, 20)
	for _, store := range []bool{false, true} {
		name := fmt.Sprintf("memory per queued task of %s", grouped(int64(n)))
		if store {
			name += ", with a store"
		}
		flags := []string{"--max-queued=" + strconv.Itoa(n+benchLimit)} // a blocker may still be queued
		if err := b.withServer(ctx, store, flags, func(server *peer, _ string) error {
			if err := server.block(); err != nil {
				return err
			}
			before := residentOf(server.cmd.Process.Pid)
			if _, err := server.fill(n); err != nil {
				return err
			}
			b.recordMemory(name, before, server, n)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// block gives every slot a task that does not end.
func (p *peer) block() error {
	for i := range benchLimit {
		line := submitLines(i, 1, blockerParams+idOf(kindBlocker, i)+`"}`)
		if _, err := p.pour(line, func() error { return p.awaitBoth(1, 0) }); err != nil {
			return err
		}
	}
	return nil
}

// fillPiece is how many submits are prepared at a time.
const fillPiece = 50_000

// fill queues tasks whose ids are known.
func (p *peer) fill(n int) (time.Duration, error) {
	var all time.Duration
	for first := 0; first < n; first += fillPiece {
		piece := min(fillPiece, n-first)
		var lines []byte
		for i := range piece {
			lines = append(lines, submitLines(i, 1, `{"type":"noop","events":["finished"],"id":"`+idOf(kindQueued, first+i)+`"}`)...)
		}
		took, err := p.pour(lines, func() error { return p.awaitBoth(piece, 0) })
		if err != nil {
			return 0, err
		}
		all += took
	}
	return all, nil
}

// askFullQueue measures status and cancel while n tasks are queued, and
// answers how many task/finished of cancelled ones have come.
func (b *bench) askFullQueue(server *peer, n int) (finished int, err error) {
	asks := min(n/2, 5000)
	for _, method := range []string{"status", "cancel"} {
		next := 0
		samples, err := samplesOf(asks, func() error {
			next++
			id := idOf(kindQueued, next*7919%n) // all over the queue
			line, err := server.ask([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"id":"` + id + `"}}` + "\n"))
			for err == nil && bytes.HasPrefix(line, finishedPrefix) {
				finished++
				line, err = server.line()
			}
			if err == nil && bytes.Contains(line[:min(len(line), 60)], errorMember) {
				err = refusal(line)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		b.recordLatency(method+" with a full queue", samples)
	}
	return finished, nil
}

func cancelLines(kind, first, n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"jsonrpc":"2.0","id":1,"method":"cancel","params":{"id":"%s","force":true}}`+"\n", idOf(kind, first+i))
	}
	return b.Bytes()
}

// benchFinished measures tasks that are finished and kept.
func benchFinished(ctx context.Context, b *bench) error {
	n := b.share(10, 50)
	server, err := b.startServer(ctx, "--keep="+strconv.Itoa(n+1000), "--keep-bytes=1GiB")
	if err != nil {
		return err
	}
	defer server.end()
	if _, err := server.ask(statsLine); err != nil {
		return err
	}
	before := residentOf(server.cmd.Process.Pid)
	if _, err := server.pour(submitLines(0, n, noopParams), func() error { return server.awaitBoth(n, n) }); err != nil {
		return err
	}
	b.recordMemory("memory per finished task that is kept", before, server, n)
	return nil
}

var statsLine = []byte(`{"jsonrpc":"2.0","id":1,"method":"stats"}` + "\n")

func (b *bench) recordMemory(name string, before int64, server *peer, n int) {
	if canMeasure {
		b.record(name, "bytes", float64(residentOf(server.cmd.Process.Pid)-before)/float64(n))
	}
}

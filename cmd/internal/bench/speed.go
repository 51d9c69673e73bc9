package bench

import (
	"context"
	"fmt"
	"os"
	"time"
)

// This file measures how fast tasks go through a server.

// benchNoop measures pipelined tasks. Reply and task/finished of each are awaited.
func benchNoop(ctx context.Context, b *bench) error {
	n := b.share(4, 100)
	lines := submitLines(0, n, noopParams)
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	sizes, err := server.answerSizes()
	if err != nil {
		return err
	}
	plain, err := b.pourEcho(ctx, lines, n)
	if err != nil {
		return err
	}
	echoed, err := b.pourEcho(ctx, lines, n, sizes...)
	if err != nil {
		return err
	}
	if _, err := server.pour(submitLines(0, min(n, 1000), noopParams), func() error { // until it is warm
		return server.awaitBoth(min(n, 1000), min(n, 1000))
	}); err != nil {
		return err
	}
	before, beforeOwn := cpuOf(server.cmd.Process.Pid), cpuOf(os.Getpid())
	took, err := server.pour(lines, func() error { return server.awaitBoth(n, n) })
	if err != nil {
		return err
	}
	rate, echoRate := perSecond(n, took), perSecond(n, echoed)
	b.record("noop tasks, pipelined on one connection", "tasks/s", rate)
	b.record("echo of the same load: the same lines in, as many bytes out", "lines/s", echoRate)
	b.record("noop to echo of the same load", "times", rate/echoRate)
	b.record("echo of the same lines, nothing else", "lines/s", perSecond(n, plain))
	if canMeasure {
		b.record("server's CPU per noop task", "us", micros(cpuOf(server.cmd.Process.Pid)-before)/float64(n))
		b.record("client's CPU per noop task", "us", micros(cpuOf(os.Getpid())-beforeOwn)/float64(n))
	}
	for _, window := range windows {
		if _, err := b.recordWindow(server, fmt.Sprintf("noop tasks, at most %d under way", window), window, n); err != nil {
			return err
		}
	}
	return nil
}

// windows are the most tasks that a client has under way in the pipelined loads
// that are not written at once.
var windows = []int{256, 64, 16}

// recordWindow measures pipelined tasks of which at most so many are under way,
// and answers how many end in a second.
func (b *bench) recordWindow(server *peer, name string, window, n int) (float64, error) {
	l := load{server: server, params: noopParams, window: window, left: n}
	began := time.Now()
	if err := l.run(); err != nil {
		return 0, err
	}
	speed := perSecond(n, time.Since(began))
	b.record(name, "tasks/s", speed)
	return speed, nil
}

// answerSizes is how long the lines are that answer a task: its reply and its
// task/finished.
func (p *peer) answerSizes() ([]int, error) {
	if _, err := p.in.Write(submitLines(0, 1, noopParams)); err != nil {
		return nil, err
	}
	var sizes []int
	for range 2 {
		line, err := p.line()
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, len(line))
	}
	return sizes, nil
}

// pourEcho pours lines through an echo. It answers each with lines of the
// given sizes, or with itself.
func (b *bench) pourEcho(ctx context.Context, lines []byte, n int, sizes ...int) (time.Duration, error) {
	peer, err := b.startEcho(ctx, sizes...)
	if err != nil {
		return 0, err
	}
	defer peer.end()
	each := max(len(sizes), 1)
	answers := func(n int) func() error {
		return func() error {
			for range n * each {
				if _, err := peer.line(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if _, err := peer.pour([]byte("warm\n"), answers(1)); err != nil {
		return 0, err
	}
	return peer.pour(lines, answers(n))
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// benchLatency measures one task at a time.
func benchLatency(ctx context.Context, b *bench) error {
	n := b.share(50, 20)
	line := submitLines(1, 1, noopParams)
	peer, err := b.startEcho(ctx)
	if err != nil {
		return err
	}
	defer peer.end()
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	echo, err := samplesOf(n, func() error { _, err := peer.ask(line); return err })
	if err != nil {
		return err
	}
	tasks, err := samplesOf(n, func() error { return server.runOne(line) })
	if err != nil {
		return err
	}
	b.recordLatency("noop task, one at a time", tasks)
	b.recordLatency("echo, one line at a time", echo)
	b.record("noop to echo, one at a time, p50", "times", float64(percentile(tasks, 0.5))/float64(percentile(echo, 0.5)))
	b.latencies = append(b.latencies, tasks...)
	return nil
}

// samplesOf times f, after some calls that do not count.
func samplesOf(n int, f func() error) ([]int64, error) {
	samples := make([]int64, 0, n)
	for i := range n + n/10 {
		began := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		if i >= n/10 {
			samples = append(samples, int64(time.Since(began)))
		}
	}
	return samples, nil
}

func (b *bench) recordLatency(name string, samples []int64) {
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		b.record(name+", "+p.name, "us", micros(percentile(samples, p.share)))
	}
}

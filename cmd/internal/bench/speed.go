package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// This file measures how fast tasks go through a server.

// benchNoop measures pipelined tasks. Reply and task/finished of each are awaited.
func benchNoop(ctx context.Context, b *bench) error {
	n := b.share(4, 100)
	lines := submitLines(0, n, noopParams)
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	sizes, err := server.answerSizes()
	if err != nil {
		return err
	}
	plain, err := pourEcho(ctx, lines, n)
	if err != nil {
		return err
	}
	echoed, err := pourEcho(ctx, lines, n, sizes...)
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
	return nil
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
func pourEcho(ctx context.Context, lines []byte, n int, sizes ...int) (time.Duration, error) {
	args := []string{"bench-echo"}
	for _, size := range sizes {
		args = append(args, strconv.Itoa(size))
	}
	peer, err := startPeer(ctx, args...)
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
	peer, err := startPeer(ctx, "bench-echo")
	if err != nil {
		return err
	}
	defer peer.end()
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	echo, err := samplesOf(n, func() error { _, err := peer.ask(line); return err })
	if err != nil {
		return err
	}
	tasks, err := samplesOf(n, func() error {
		if _, err := server.in.Write(line); err != nil {
			return err
		}
		return server.awaitBoth(1, 1)
	})
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

// loadWindow is how many tasks are under way while status is measured.
const loadWindow = 256

// benchStatus measures status requests among noop tasks that keep the server busy.
func benchStatus(ctx context.Context, b *bench) error {
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	const id = "00000000-0000-7000-8000-000000000001"
	known := submitLines(0, 1, `{"type":"noop","id":"`+id+`"}`)
	if _, err := server.pour(known, func() error { return server.awaitBoth(1, 1) }); err != nil {
		return err
	}
	l := &load{server: server, left: b.share(10, 1000), status: []byte(`{"jsonrpc":"2.0","id":"s","method":"status","params":{"id":"` + id + `"}}` + "\n")}
	if err := l.run(); err != nil {
		return err
	}
	b.recordLatency("status under load", l.samples)
	return nil
}

// load keeps loadWindow tasks and one status request under way.
type load struct {
	server  *peer
	left    int // tasks to submit
	status  []byte
	asked   time.Time
	samples []int64
}

var statusReply = []byte(`{"jsonrpc":"2.0","id":"s"`)

func (l *load) run() error {
	first := min(loadWindow, l.left)
	if err := l.submit(first); err != nil {
		return err
	}
	if err := l.ask(); err != nil {
		return err
	}
	for running := first; running > 0; {
		line, err := l.server.line()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, statusReply):
			l.samples = append(l.samples, int64(time.Since(l.asked)))
			if err := l.ask(); err != nil {
				return err
			}
		case bytes.HasPrefix(line, finishedPrefix):
			running--
			if running <= loadWindow/2 && l.left > 0 { // some at a time, as a pipe delivers them
				n := min(loadWindow-running, l.left)
				if running += n; l.submit(n) != nil {
					return errors.New("the server reads no more")
				}
			}
		case bytes.Contains(line[:min(len(line), 60)], errorMember):
			return refusal(line)
		}
	}
	return nil
}

func (l *load) submit(n int) error {
	l.left -= n
	_, err := l.server.in.Write(submitLines(1, n, noopParams))
	return err
}

func (l *load) ask() error {
	l.asked = time.Now()
	_, err := l.server.in.Write(l.status)
	return err
}

// benchExec measures commands, next to as many goroutines that start them.
func benchExec(ctx context.Context, b *bench) error {
	n := b.share(1000, 20)
	program, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	bare, err := bareLoop(ctx, program, n)
	if err != nil {
		return err
	}
	server, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.end()
	lines := submitLines(0, n+1, `{"type":"exec","input":{"argv":[`+strconv.Quote(program)+`]},"events":["finished"]}`)
	first := bytes.IndexByte(lines, '\n') + 1
	if _, err := server.pour(lines[:first], func() error { return server.awaitBoth(1, 1) }); err != nil {
		return err
	}
	took, err := server.pour(lines[first:], func() error { return server.awaitBoth(n, n) })
	if err != nil {
		return err
	}
	b.record(fmt.Sprintf("exec true, %d at once", benchLimit), "tasks/s", perSecond(n, took))
	b.record("loop that only starts and waits, as many at once", "starts/s", perSecond(n, bare))
	b.record("loop to exec", "times", perSecond(n, bare)/perSecond(n, took))
	return nil
}

// bareLoop runs a program so many times with os/exec and nothing else.
func bareLoop(ctx context.Context, program string, n int) (time.Duration, error) {
	var left atomic.Int64
	var loops sync.WaitGroup
	left.Store(int64(n))
	errs := make(chan error, benchLimit)
	began := time.Now()
	for range benchLimit {
		loops.Go(func() {
			for left.Add(-1) >= 0 {
				if err := exec.CommandContext(ctx, program).Run(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	loops.Wait()
	took := time.Since(began)
	select {
	case err := <-errs:
		return 0, err
	default:
		return took, nil
	}
}

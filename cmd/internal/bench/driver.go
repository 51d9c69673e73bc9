package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// This file measures the commands of the driver, as a shell starts them.

const (
	// commandSamples is how often a command is started in a round.
	commandSamples = 30
	// coldSamples is how often one is started that has to start the server, too.
	coldSamples = 8
)

// shared is a place for the server that commands share.
type shared struct {
	program string
	env     []string
	dir     string
}

// benchDriver measures a submit with the server up and with the server to be started,
// and submits of many lines, next to the same submits on a pipe.
func benchDriver(ctx context.Context, b *bench) (err error) {
	if runtime.GOOS == "windows" {
		return nil // which has no such server
	}
	dir, err := os.MkdirTemp("", "jobline-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &shared{program: b.program, dir: dir}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "JOBLINE_") {
			s.env = append(s.env, v)
		}
	}
	s.env = append(s.env, "XDG_RUNTIME_DIR="+dir, "XDG_STATE_HOME="+dir)
	if err := s.jobline(ctx, "submit", "--help"); err != nil {
		return nil // a build without a driver
	}
	defer func() { err = errors.Join(err, s.jobline(context.WithoutCancel(ctx), "shutdown", "--mode=cancel")) }()
	for _, measure := range []func(context.Context, *bench) error{s.submitOne, s.submitCold, s.submitMany} {
		if err := measure(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// jobline runs a command of the driver.
func (s *shared) jobline(ctx context.Context, args ...string) error {
	c := exec.CommandContext(ctx, s.program, args...)
	c.Env = s.env
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", s.program, strings.Join(args, " "), err, out)
	}
	return nil
}

// submitOne measures a submit with the server up, next to the command that it submits.
func (s *shared) submitOne(ctx context.Context, b *bench) error {
	bare, err := samplesOf(commandSamples, func() error { return exec.CommandContext(ctx, "true").Run() })
	if err != nil {
		return err
	}
	submits, err := samplesOf(commandSamples, func() error { return s.jobline(ctx, "submit", "-q", "--", "true") })
	if err != nil {
		return err
	}
	b.record("command line: submit -- true, p50", "ms", millis(percentile(submits, 0.5)))
	b.record("command line: true alone, p50", "ms", millis(percentile(bare, 0.5)))
	return nil
}

// submitCold measures a submit that starts the server.
func (s *shared) submitCold(ctx context.Context, b *bench) error {
	var took []int64
	for range coldSamples {
		if err := s.jobline(ctx, "shutdown", "--mode=cancel"); err != nil {
			return err
		}
		began := time.Now()
		if err := s.jobline(ctx, "submit", "-q", "--", "true"); err != nil {
			return err
		}
		took = append(took, int64(time.Since(began)))
	}
	b.record("command line: submit -- true that starts the server, p50", "ms", millis(percentile(took, 0.5)))
	return nil
}

// submitMany measures submits of many lines behind one task that has the only slot,
// next to a client that writes the same submits to a server on pipes.
func (s *shared) submitMany(ctx context.Context, b *bench) error {
	if err := s.jobline(ctx, "shutdown", "--mode=cancel"); err != nil {
		return err
	}
	s.env = append(s.env, "JOBLINE_LIMIT=1")
	if err := s.jobline(ctx, "submit", "-q", "--priority=100", "sleep", "--set=durationMs=86400000"); err != nil {
		return err
	}
	n := b.share(10, 100)
	lines := filepath.Join(s.dir, "lines")
	var text strings.Builder
	for i := range n {
		fmt.Fprintln(&text, i)
	}
	if err := os.WriteFile(lines, []byte(text.String()), 0o600); err != nil {
		return err
	}
	began := time.Now()
	if err := s.jobline(ctx, "submit", "-q", "--each=true {}", "--lines=@"+lines); err != nil {
		return err
	}
	each := perSecond(n, time.Since(began))
	rate, err := b.pipelinedSubmits(ctx, n)
	if err != nil {
		return err
	}
	b.record("command line: submit --each, its start included", "lines/s", each)
	b.record("submits of the same, pipelined to a server with a store on pipes", "tasks/s", rate)
	b.record("submit --each to pipelined submits", "times", each/rate)
	return nil
}

// eachParams are about those of a line of submit --each.
var eachParams = `{"type":"exec","input":{"argv":["true","1"],"dir":"/tmp","envFile":"/tmp/jobline/env/` + strings.Repeat("0", 64) +
	`.json","stderr":"ordered"},"labels":{"owner":"jobline"},"events":[]}`

// pipelinedSubmits measures how many submits a server with a store answers in a
// second, behind one task that has the only slot.
func (b *bench) pipelinedSubmits(ctx context.Context, n int) (rate float64, err error) {
	err = b.withServer(ctx, true, []string{"--limit=1"}, func(server *peer, _ string) error {
		if _, err := server.ask(submitLines(0, 1, `{"type":"sleep","input":{"durationMs":86400000},"events":[],"priority":100}`)); err != nil {
			return err
		}
		took, err := server.pour(submitLines(1, n, eachParams), func() error { return server.awaitBoth(n, 0) })
		rate = perSecond(n, took)
		return err
	})
	return rate, err
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

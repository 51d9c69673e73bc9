package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// This file measures commands next to a loop that starts the same program and
// waits for it, with os/exec and nothing else. Two more loops show what a part of a
// server's work costs by itself: to read what a program writes, and to have on the disk
// that a program starts before it does.

// execPieces is in how many pieces each of the compared loads is measured, in turns.
const execPieces = 5

// commandPath is where the program is that does nothing.
func commandPath() (string, error) { return exec.LookPath("true") }

// benchExec measures commands, as many at once as there are CPUs and one at a
// time, in memory and with a store.
func benchExec(ctx context.Context, b *bench) error {
	c, err := newCommands()
	if err != nil {
		return err
	}
	return b.withServer(ctx, false, nil, func(memory *peer, _ string) error {
		return b.withServer(ctx, true, nil, func(durable *peer, dir string) (err error) {
			c.memory, c.durable = memory, durable
			if c.log, err = os.CreateTemp(dir, "raw-"); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.log.Close()) }()
			if err := c.warmUp(); err != nil {
				return err
			}
			n := b.share(1000, 20) / execPieces
			if err := c.atOnce(ctx, b, n); err != nil {
				return err
			}
			return c.oneAtATime(ctx, b, n)
		})
	})
}

// newCommands answers the commands, without the servers.
func newCommands() (*commands, error) {
	program, err := commandPath()
	if err != nil {
		return nil, err
	}
	params, err := commandParams()
	return &commands{program: program, params: params}, err
}

// commands are what runs the same program in three ways.
type commands struct {
	program         string
	params          string // of a submit
	memory, durable *peer
	log             *os.File // on the disk of the store
}

// warmUp runs a command on each server.
func (c *commands) warmUp() error {
	line := submitLines(0, 1, c.params)
	return errors.Join(c.memory.runOne(line), c.durable.runOne(line))
}

// start starts the program and waits for it.
func (c *commands) start(ctx context.Context) error {
	return exec.CommandContext(ctx, c.program).Run()
}

// startAndRead also reads what the program writes, from two pipes.
func (c *commands) startAndRead(ctx context.Context) error {
	command := exec.CommandContext(ctx, c.program)
	command.Stdout, command.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	return command.Run()
}

// syncAndStart first appends to a file and syncs that.
func (c *commands) syncAndStart(ctx context.Context) error {
	if err := appendSynced(c.log); err != nil {
		return err
	}
	return c.start(ctx)
}

// pour runs so many commands that are submitted together.
func (c *commands) pour(server *peer, n int) (time.Duration, error) {
	return server.pour(submitLines(0, n, c.params), func() error { return server.awaitBoth(n, n) })
}

// atOnce measures as many commands at once as there are CPUs, n in each piece.
func (c *commands) atOnce(ctx context.Context, b *bench, n int) error {
	loads := []func() (time.Duration, error){
		func() (time.Duration, error) { return loop(n, func() error { return c.start(ctx) }) },
		func() (time.Duration, error) { return c.pour(c.memory, n) },
		func() (time.Duration, error) { return c.pour(c.durable, n) },
		func() (time.Duration, error) { return loop(n, func() error { return c.startAndRead(ctx) }) },
		func() (time.Duration, error) { return loop(n, func() error { return c.syncAndStart(ctx) }) },
	}
	took, err := inTurns(loads)
	if err != nil {
		return err
	}
	all, bare := n*execPieces, took[0].Seconds()
	b.record(fmt.Sprintf("exec true, %d at once", benchLimit), "tasks/s", perSecond(all, took[1]))
	b.record(fmt.Sprintf("exec true, %d at once, with a store", benchLimit), "tasks/s", perSecond(all, took[2]))
	b.record("loop that only starts and waits, as many at once", "starts/s", perSecond(all, took[0]))
	b.record("exec to loop", "times", bare/took[1].Seconds())
	b.record("exec with a store to loop", "times", bare/took[2].Seconds())
	b.record("loop that also reads two pipes, to loop", "times", bare/took[3].Seconds())
	b.record("loop that syncs before each start, to loop", "times", bare/took[4].Seconds())
	return nil
}

// inTurns runs a piece of each load in turn, and answers how long all pieces of each
// took together.
func inTurns(loads []func() (time.Duration, error)) ([]time.Duration, error) {
	took := make([]time.Duration, len(loads))
	for range execPieces {
		for i, load := range loads {
			piece, err := load()
			if err != nil {
				return nil, err
			}
			took[i] += piece
		}
	}
	return took, nil
}

// oneAtATime measures commands that are each submitted when the one before has
// ended, n in each piece.
func (c *commands) oneAtATime(ctx context.Context, b *bench, n int) error {
	line := submitLines(0, 1, c.params)
	var samples [3][]int64 // of the loop, and of commands in memory and with a store
	for range execPieces {
		for i, run := range []func() error{
			func() error { return c.start(ctx) },
			func() error { return c.memory.runOne(line) },
			func() error { return c.durable.runOne(line) },
		} {
			piece, err := samplesOf(n, run)
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], piece...)
		}
	}
	b.recordLatency("exec true, one at a time", samples[1])
	b.recordLatency("exec true, one at a time, with a store", samples[2])
	b.recordLatency("loop that only starts and waits, one at a time", samples[0])
	bare := float64(percentile(samples[0], 0.5))
	b.record("exec to loop, one at a time, p50", "times", float64(percentile(samples[1], 0.5))/bare)
	b.record("exec with a store to loop, one at a time, p50", "times", float64(percentile(samples[2], 0.5))/bare)
	return nil
}

// loop calls start n times, as many at once as there are CPUs.
func loop(n int, start func() error) (time.Duration, error) {
	var left atomic.Int64
	var loops sync.WaitGroup
	left.Store(int64(n))
	errs := make(chan error, benchLimit)
	began := time.Now()
	for range benchLimit {
		loops.Go(func() {
			for left.Add(-1) >= 0 {
				if err := start(); err != nil {
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

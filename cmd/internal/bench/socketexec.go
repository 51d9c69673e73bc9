package bench

import (
	"context"
	"fmt"
	"time"
)

// This file measures commands that are submitted over a socket, as the driver submits
// them to the daemon of a user, next to a loop that only starts the same program.

// execOnSockets measures commands through a server in memory, and through one with a
// store that is to listen at path.
func (b *bench) execOnSockets(ctx context.Context, memory *listener, path string) error {
	c, err := newCommands()
	if err != nil {
		return err
	}
	return b.withServer(ctx, true, []string{"--listen=unix:" + path}, func(server *peer, _ string) error {
		durable, err := awaitListener(server, path)
		if err != nil {
			return err
		}
		if c.memory, err = memory.dial(); err != nil {
			return err
		}
		defer c.memory.close()
		if c.durable, err = durable.dial(); err != nil {
			return err
		}
		defer c.durable.close()
		if err := c.warmUp(); err != nil {
			return err
		}
		return c.throughSockets(ctx, b, b.share(1000, 20)/execPieces)
	})
}

// throughSockets measures as many commands at once as there are CPUs, n in each piece.
func (c *commands) throughSockets(ctx context.Context, b *bench, n int) error {
	took, err := inTurns([]func() (time.Duration, error){
		func() (time.Duration, error) { return loop(n, func() error { return c.start(ctx) }) },
		func() (time.Duration, error) { return c.pour(c.memory, n) },
		func() (time.Duration, error) { return c.pour(c.durable, n) },
	})
	if err != nil {
		return err
	}
	all, bare := n*execPieces, took[0].Seconds()
	b.record(fmt.Sprintf("exec true through the daemon, %d at once", benchLimit), "tasks/s", perSecond(all, took[1]))
	b.record(fmt.Sprintf("exec true through the daemon, %d at once, with a store", benchLimit), "tasks/s", perSecond(all, took[2]))
	b.record("loop that only starts and waits, as many at once", "starts/s", perSecond(all, took[0]))
	b.record("exec through the daemon to loop", "times", bare/took[1].Seconds())
	b.record("exec through the daemon with a store to loop", "times", bare/took[2].Seconds())
	return nil
}

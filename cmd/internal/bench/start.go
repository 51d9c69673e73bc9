package bench

import (
	"context"
	"os"
	"time"
)

// This file measures a server that has just been started.

// startSamples is how many servers are started in a round, for each first request.
const startSamples = 10

// benchStart measures the time from the start of a server to its first reply.
// The first request is a submit, as most clients send it, or stats, which also
// finds out how the processes of commands can be kept together.
func benchStart(ctx context.Context, b *bench) error {
	for _, first := range []struct {
		suffix string
		line   []byte
	}{{", of a submit", submitLines(0, 1, noopParams)}, {", of stats", statsLine}} {
		var samples, resident []int64 // ns, bytes
		for range startSamples {
			took, memory, err := b.startOnce(ctx, first.line)
			if err != nil {
				return err
			}
			samples, resident = append(samples, int64(took)), append(resident, memory)
		}
		b.record("start to first reply"+first.suffix, "ms", percentile(samples, 0.5).Seconds()*1000)
		if canMeasure {
			b.record("memory of an idle server after the reply"+first.suffix, "MB", float64(percentile(resident, 0.5))/1e6)
		}
	}
	file, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	b.record("the program's file", "MB", float64(file.Size())/1e6)
	return nil
}

// startOnce answers how long a server took from its start to its reply to a
// first request, and its resident memory then.
func (b *bench) startOnce(ctx context.Context, first []byte) (took time.Duration, resident int64, err error) {
	began := time.Now()
	server, err := b.startServer(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer server.end()
	_, err = server.ask(first)
	return time.Since(began), residentOf(server.cmd.Process.Pid), err
}

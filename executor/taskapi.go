package executor

import (
	"context"
	"io"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file is what a task's code can do through its context. Outside a task
// these functions do nothing, so that the code can be called by plain tests.

type runKey struct{}

func runOf(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

// TaskID is the id of the task whose code this is.
func TaskID(ctx context.Context) uuid.UUID {
	if r := runOf(ctx); r != nil {
		return r.record.ID
	}
	return uuid.Nil
}

// Attempt is which attempt of the task this is, from 1.
func Attempt(ctx context.Context) int {
	if r := runOf(ctx); r != nil {
		return int(r.record.Attempt)
	}
	return 0
}

// Report tells how far the task has come. The newest value is sent at most
// every 100 ms, and a Value below an earlier one counts as the earlier one.
func Report(ctx context.Context, p schema.Progress) {
	if r := runOf(ctx); r != nil {
		r.report(p)
	}
}

// Output is a stream of the task. Writes do not wait for a reader, unless one
// has asked for all of the output (OutputReader): the store keeps the newest part
// up to its limit. It may be used from many goroutines; a Write answers
// ErrLeaseLost once the task is final.
func Output(ctx context.Context, stream schema.Stream) io.Writer {
	if r := runOf(ctx); r != nil {
		return outputWriter{r, stream}
	}
	return io.Discard
}

// Started says that the task has really begun, with the process id of its
// external command or 0. It is for types made with StartsItself; the first
// call counts.
func Started(ctx context.Context, pid int) {
	if r := runOf(ctx); r != nil {
		r.started(pid)
	}
}

// Killed is closed when the task's grace is over, or a cancel skips it: what
// the context's end asked for is now to be forced. Code that uses it is given
// a last moment to end before its task is given up.
func Killed(ctx context.Context) <-chan struct{} {
	if r := runOf(ctx); r != nil {
		return r.killed()
	}
	return nil
}

type outputWriter struct {
	run    *run
	stream schema.Stream
}

func (w outputWriter) Write(p []byte) (int, error) {
	w.run.started(0)
	if err := w.run.write(w.stream, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

package client

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// Input sends bytes to a running task. It answers an error of the code QueueFull,
// and has sent nothing, where the task has not read enough of what was sent before.
func (c *Client) Input(ctx context.Context, p schema.InputParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodInput, p)
	return err
}

// Signal sends a signal to all processes of a running task.
func (c *Client) Signal(ctx context.Context, p schema.SignalParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodSignal, p)
	return err
}

// Resize sets the size of the terminal of a running task.
func (c *Client) Resize(ctx context.Context, p schema.ResizeParams) error {
	_, err := call[schema.Empty](ctx, c, schema.MethodResize, p)
	return err
}

// How an input writer sends.
const (
	inputPiece    = 256 << 10 // bytes of one request
	inputPause    = time.Millisecond
	inputPauseMax = 50 * time.Millisecond
)

// InputWriter is the input of a running task. Its Write waits, until ctx ends, for
// the task to start, and to read what was sent before. Close ends the input. It may be
// used by one goroutine at a time.
func (c *Client) InputWriter(ctx context.Context, id uuid.UUID) io.WriteCloser {
	return &inputWriter{c, ctx, id}
}

type inputWriter struct {
	client *Client
	ctx    context.Context
	id     uuid.UUID
}

func (w *inputWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		piece := p[n:min(n+inputPiece, len(p))]
		if err := w.send(schema.InputParams{ID: w.id, DataBase64: piece}); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

func (w *inputWriter) Close() error { return w.send(schema.InputParams{ID: w.id, Close: true}) }

// send sends a piece, again and again while there is no room for it, or the task is only
// about to start.
func (w *inputWriter) send(p schema.InputParams) error {
	for pause := inputPause; ; pause = min(2*pause, inputPauseMax) {
		err := w.client.Input(w.ctx, p)
		if e, ok := errors.AsType[*wire.Error](err); !ok || !mayComeAgain(e) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
}

// mayComeAgain reports whether an input that was refused may be taken later.
func mayComeAgain(e *wire.Error) bool {
	return e.Code == schema.CodeQueueFull || e.Code == schema.CodeNotPermitted && e.Data.Retryable
}

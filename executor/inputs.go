package executor

import (
	"context"
	"io"
	"sync"
)

// MaxInputBytes bounds the input of a running task that waits to be read, in bytes.
const MaxInputBytes = 1 << 20

// InputReader is what clients have sent to a running task. It may be read by one
// goroutine at a time.
type InputReader struct {
	ctx     context.Context
	changed chan struct{} // has a value when something has changed

	mu      sync.Mutex // protects what follows
	waiting []byte
	ended   bool // no more will come
	closed  bool // nobody reads any more
}

// NewInputReader makes a reader whose Send is a Handlers.Input. Its reads end with
// the cause of ctx when that ends.
func NewInputReader(ctx context.Context) *InputReader {
	return &InputReader{ctx: ctx, changed: make(chan struct{}, 1)}
}

// Inputs lets clients send input to the task whose code this is, and nothing else. It
// is a Handle, so call it before Started. Read answers io.EOF when a client has said that no more will come. Where a task
// takes signals, too, Handle sets its handlers together. Outside a task there is
// no input.
func Inputs(ctx context.Context) *InputReader {
	in := NewInputReader(ctx)
	if runOf(ctx) == nil {
		in.ended = true
	}
	Handle(ctx, Handlers{Input: in.Send})
	return in
}

// Send adds bytes behind those that wait. It keeps nothing of data. Where they
// would be more than MaxInputBytes together it adds nothing.
func (in *InputReader) Send(data []byte, end bool) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.ended:
		return &UnreachableError{Why: "the input of the task was closed by an earlier request", Cure: "submit a new one"}
	case in.closed:
		return &UnreachableError{Why: "the task reads no more input", Cure: "submit a new one"}
	case len(data) > MaxInputBytes:
		return &TooLargeError{What: "the bytes of one input", Size: int64(len(data)), Limit: MaxInputBytes, Cure: "send them in pieces"}
	case len(in.waiting)+len(data) > MaxInputBytes:
		return &FullError{
			What: "the bytes that wait for the task to read them", Limit: MaxInputBytes,
			Cure: "nothing was sent; send it again when the task has read more",
		}
	}
	in.waiting = append(in.waiting, data...)
	in.ended = end
	in.wake()
	return nil
}

func (in *InputReader) wake() {
	select {
	case in.changed <- struct{}{}:
	default:
	}
}

// Read waits for input. It answers io.EOF at its end, and after Close.
func (in *InputReader) Read(p []byte) (int, error) {
	for {
		if n, err := in.take(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		select {
		case <-in.changed:
		case <-in.ctx.Done():
			return 0, context.Cause(in.ctx)
		}
	}
}

// take reads what waits.
func (in *InputReader) take(p []byte) (n int, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return 0, io.EOF
	}
	n = copy(p, in.waiting)
	if in.waiting = in.waiting[n:]; len(in.waiting) == 0 {
		in.waiting = nil // memory is given back when the task has read all
		if n == 0 && in.ended {
			err = io.EOF
		}
	}
	return n, err
}

// Close drops what waits, and refuses what comes. A Read that waits returns.
func (in *InputReader) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.waiting = true, nil
	in.wake()
	return nil
}

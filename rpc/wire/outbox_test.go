package wire

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// heldWriter is a connection whose TryWrite returns when it is let go.
type heldWriter struct {
	let chan error
}

func (w *heldWriter) TryWrite(p []byte) (int, error) {
	if err := <-w.let; err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *heldWriter) Write(p []byte) (int, error) { return w.TryWrite(p) }

// The goroutine that writes ends when another's write is over that was under
// way when the outbox was closed, or that has failed.
func TestOutboxEndsBehindAWriteOfAnother(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		close bool
		err   error
	}{
		"closed": {close: true}, "failed": {err: broken}, "closed, and failed": {close: true, err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &heldWriter{let: make(chan error)}
				o := NewOutbox(w)
				ran := make(chan error)
				go func() { ran <- o.Run() }()
				o.End(append(o.Begin(), "message"...))
				go o.Flush()
				synctest.Wait()
				if c.close {
					o.Close()
					synctest.Wait() // Run has looked, and found somebody writing
				}
				w.let <- c.err
				require.Equal(t, c.err, <-ran)
			})
		})
	}
}

package wire

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

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

// An outbox that is idle gives up its large buffers, and one that is not keeps them.
func TestIdleOutboxKeepsNoLargeBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutbox(io.Discard)
		ran := make(chan error, 1)
		go func() { ran <- o.Run() }()
		large := func() int {
			o.mu.Lock()
			defer o.mu.Unlock()
			return max(cap(o.buf), cap(o.spare))
		}
		send := func() {
			o.End(append(o.Begin(), make([]byte, 1<<20)...))
			o.Flush()
			synctest.Wait()
		}
		for range 3 {
			send()
			time.Sleep(idleAfter / 2)
			require.GreaterOrEqual(t, large(), 1<<20)
		}
		time.Sleep(idleAfter)
		synctest.Wait()
		require.LessOrEqual(t, large(), idleBuffer)
		send()
		o.Close()
		require.NoError(t, <-ran)
	})
}

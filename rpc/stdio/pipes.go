package stdio

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pipes is stdin and stdout as one connection. It notes when input came and ended.
type pipes struct {
	in, out  descriptor
	begun    time.Time
	received atomic.Int64 // when bytes came last, in nanoseconds since begun; 0 is never
	atEnd    func() bool  // called when the input ends, before the reader is told; it answers whether a shutdown has begun
	over     sync.Once
	end      atomic.Pointer[inputEnd] // nil before it
	ended    chan inputEnd            // has it once
}

// inputEnd is the end of the input.
type inputEnd struct {
	at      time.Time
	settled bool // a shutdown had begun
}

func newPipes(in, out descriptor) *pipes {
	return &pipes{in: in, out: out, begun: time.Now(), ended: make(chan inputEnd, 1)}
}

func (p *pipes) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	if n > 0 {
		p.received.Store(int64(time.Since(p.begun)) + 1)
	}
	if err != nil && !errors.Is(err, os.ErrClosed) {
		p.over.Do(func() {
			end := inputEnd{time.Now(), p.atEnd()}
			p.end.Store(&end)
			p.ended <- end
		})
	}
	return n, err
}

func (p *pipes) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *pipes) Close() error                { return errors.Join(p.in.Close(), p.out.Close()) }

// TryWrite writes as much as there is room for, without waiting: nothing where
// stdout cannot do that.
func (p *pipes) TryWrite(b []byte) (int, error) {
	if t, ok := p.out.ReadWriteCloser.(interface{ TryWrite([]byte) (int, error) }); ok {
		return t.TryWrite(b)
	}
	return 0, nil
}

// lastReceived is when bytes came last.
func (p *pipes) lastReceived() time.Time {
	if at := p.received.Load(); at > 0 {
		return p.begun.Add(time.Duration(at))
	}
	return time.Time{}
}

// hasDriver reports whether another program sends requests, and may send more.
func (p *pipes) hasDriver() bool { return p.in.isPipe && p.end.Load() == nil }

package wire

import (
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of what is not sent yet.
const (
	// DefaultMaxUnsent is how many unsent bytes there may be before a server reads
	// no more requests, and before WriteObject of a client waits.
	DefaultMaxUnsent = 64 << 20
	// slowUnsent is beyond how many unsent bytes YieldToWriter waits, for slowWait
	// at most. Messages that are written soon are still in the processor's cache,
	// and a peer that does not read at all delays each read by slowWait only.
	slowUnsent = 256 << 10
	slowWait   = time.Millisecond
	// maxWrite is how many bytes are written at once where the write may wait, so
	// that Written shows whether the peer reads.
	maxWrite = 64 << 10
	// maxSpare is the largest buffer that is used again, in bytes.
	maxSpare = 4 << 20
	// idleBuffer is the largest buffer that an outbox keeps which has written nothing
	// for idleAfter, in bytes: there may be very many connections.
	idleBuffer = 8 << 10
	idleAfter  = time.Second
)

// Outbox gathers messages and writes them in few system calls: each write takes all
// messages that have gathered. Adding and flushing never wait for the peer: what
// cannot be written at once is left to Run. Its methods can be called from many
// goroutines.
type Outbox struct {
	to  io.Writer
	try func([]byte) (int, error) // writes what can be written at once, or nil

	written atomic.Int64 // bytes, in all
	size    atomic.Int64 // bytes that are not written; read without the lock

	mu      sync.Mutex
	header  bool   // write frames with a header, not lines
	buf     []byte // what has gathered
	rest    []byte // what try could not write; it goes before buf
	spare   []byte // the buffer written before
	base    []byte // the buffer that is being written, or of which rest is the end
	writing int    // bytes that a goroutine is writing; one at a time writes
	closed  bool
	err     error         // of writing; nothing is written after it
	wake    chan struct{} // has room for one
	drained *sync.Cond    // something was written, or never will be
	idle    *time.Timer   // calls shrink; nil before the first large buffer
}

// tryWriter is a connection that can write without waiting. TryWrite writes as much
// as there is room for, which may be nothing.
type tryWriter interface {
	TryWrite(p []byte) (n int, err error)
}

// NewOutbox makes an outbox that writes lines, until UseHeader is called. Where to has
// a method TryWrite, Flush uses it to write what does not have to wait.
func NewOutbox(to io.Writer) *Outbox {
	o := &Outbox{to: to, wake: make(chan struct{}, 1)}
	if t, ok := to.(tryWriter); ok {
		o.try = t.TryWrite
	}
	o.drained = sync.NewCond(&o.mu)
	return o
}

// Begin locks the outbox and answers a buffer. The caller appends a message to it, and
// hands it back to End. With Next between two messages several are added under one
// lock. Messages for a closed outbox are dropped.
func (o *Outbox) Begin() []byte {
	o.mu.Lock()
	return o.buf
}

// Next ends a message, and answers the buffer for the one that follows.
func (o *Outbox) Next(b []byte) []byte {
	switch {
	case o.closed || o.err != nil:
	case o.header:
		o.buf = withHeader(b, len(o.buf))
	default:
		o.buf = append(b, '\n')
	}
	return o.buf
}

// End takes back the buffer that Begin answered, with a message appended, and
// unlocks the outbox.
func (o *Outbox) End(b []byte) {
	o.Next(b)
	o.size.Store(int64(o.unsentLocked()))
	o.mu.Unlock()
}

// withHeader puts a header before the message that begins at mark.
func withHeader(b []byte, mark int) []byte {
	var room [48]byte
	head := append(room[:0], "Content-Length: "...)
	head = strconv.AppendInt(head, int64(len(b)-mark), 10)
	head = append(head, "\r\n\r\n"...)
	b = append(b, head...) // make room, then move the message behind the header
	copy(b[mark+len(head):], b[mark:])
	copy(b[mark:], head)
	return b
}

// UseHeader writes the messages that follow with header framing.
func (o *Outbox) UseHeader() {
	o.mu.Lock()
	o.header = true
	o.mu.Unlock()
}

// Flush writes what has gathered, or lets Run do it.
func (o *Outbox) Flush() {
	o.mu.Lock()
	for o.try != nil && len(o.rest) == 0 && len(o.buf) > 0 {
		data := o.takeLocked()
		if data == nil { // another goroutine is writing, and takes the rest, too
			break
		}
		o.mu.Unlock()
		n, err := o.try(data)
		o.written.Add(int64(n))
		o.mu.Lock()
		o.wroteLocked(data, n, err)
	}
	left := len(o.rest) > 0 || len(o.buf) > 0 || o.closed
	o.mu.Unlock()
	if left {
		o.signal()
	}
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Close makes Run return when all is written.
func (o *Outbox) Close() {
	o.mu.Lock()
	o.closed = true
	if o.idle != nil {
		o.idle.Stop()
	}
	o.mu.Unlock()
	o.signal()
}

// Err is the error of writing, or nil.
func (o *Outbox) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Written is how many bytes have been written in all.
func (o *Outbox) Written() int64 { return o.written.Load() }

// Unsent is how many bytes have not been written.
func (o *Outbox) Unsent() int { return int(o.size.Load()) }

func (o *Outbox) unsentLocked() int { return len(o.buf) + len(o.rest) + o.writing }

// Await waits until at most n bytes are unsent, or nothing is written any
// more, or the context ends.
func (o *Outbox) Await(ctx context.Context, n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsentLocked() <= n {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.drained.Broadcast()
	})
	defer stop()
	for o.unsentLocked() > n && o.err == nil && ctx.Err() == nil {
		o.drained.Wait()
	}
	return context.Cause(ctx)
}

// YieldToWriter waits a moment for the writer, where many bytes are unsent.
func (o *Outbox) YieldToWriter(ctx context.Context) {
	if o.Unsent() <= slowUnsent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, slowWait)
	defer cancel()
	_ = o.Await(ctx, slowUnsent) // it does not matter why the wait is over
}

// Run writes what Flush could not, and waits for the peer where it must. It returns
// nil when the outbox is closed and empty, or the error of a write.
func (o *Outbox) Run() error {
	for range o.wake {
		for {
			o.mu.Lock()
			data, over := o.takeLocked(), o.overLocked()
			o.mu.Unlock()
			if over {
				return o.Err()
			}
			if data == nil {
				break
			}
			n, err := o.write(data)
			o.mu.Lock()
			o.wroteLocked(data, n, err)
			o.mu.Unlock()
		}
	}
	return nil
}

// write writes all of data, and waits for the peer.
func (o *Outbox) write(data []byte) (n int, err error) {
	for n < len(data) && err == nil {
		var m int
		m, err = o.to.Write(data[n:min(n+maxWrite, len(data))])
		n += m
		o.written.Add(int64(m))
	}
	return n, err
}

// overLocked reports whether nothing is to be written any more.
func (o *Outbox) overLocked() bool {
	return o.err != nil || o.closed && o.writing == 0 && len(o.rest) == 0 && len(o.buf) == 0
}

// takeLocked answers the bytes to write next: nil where there are none, or where
// another goroutine is writing.
func (o *Outbox) takeLocked() []byte {
	if o.writing > 0 || o.err != nil {
		return nil
	}
	data := o.rest
	if o.rest = nil; data == nil {
		if len(o.buf) == 0 {
			return nil
		}
		data, o.base = o.buf, o.buf
		o.buf, o.spare = o.spare[:0], nil
	}
	o.writing = len(data)
	return data
}

func (o *Outbox) wroteLocked(data []byte, n int, err error) {
	o.writing = 0
	switch {
	case err != nil:
		o.err = err
		o.buf, o.rest, o.base = nil, nil, nil
	case n < len(data):
		o.rest = data[n:]
	default:
		if n := cap(o.base); n <= maxSpare && n > cap(o.spare) {
			o.spare = o.base[:0]
		}
		o.base = nil
	}
	o.size.Store(int64(o.unsentLocked()))
	o.drained.Broadcast()
	o.shrinkLaterLocked()
	if o.err != nil { // so that Run returns
		o.signal()
	}
}

// shrinkLaterLocked makes the outbox give up its large buffers when it has been idle
// for a while.
func (o *Outbox) shrinkLaterLocked() {
	switch {
	case o.closed, o.unsentLocked() > 0, max(cap(o.buf), cap(o.spare)) <= idleBuffer:
	case o.idle == nil:
		o.idle = time.AfterFunc(idleAfter, o.shrink)
	default:
		o.idle.Reset(idleAfter)
	}
}

// shrink gives up large buffers that hold nothing.
func (o *Outbox) shrink() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsentLocked() > 0 {
		return // shrinkLaterLocked is called when that is written
	}
	for _, b := range []*[]byte{&o.buf, &o.spare} {
		if cap(*b) > idleBuffer {
			*b = nil
		}
	}
}

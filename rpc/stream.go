package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

// Stream is the connection's bytes as JSON messages, strict and bounded, in
// either framing. It is what a jsonrpc2.Conn of a client, or of a program
// that mounts Handler, runs on; Serve reads and writes the same way.
type Stream struct {
	conn   io.ReadWriteCloser
	reader *reader
	outbox *outbox
	writer sync.WaitGroup
	open   context.Context // ends when Close begins
	shut   context.CancelFunc
	close  sync.Once
	err    error // of closing
}

const (
	// maxStreamUnsent is how many bytes a Stream holds that its peer has not
	// read, before WriteObject waits.
	maxStreamUnsent = DefaultMaxUnsent
	// streamPatience is how long a peer may take nothing before Close drops what
	// is left for it.
	streamPatience = time.Second
)

var _ jsonrpc2.ObjectStream = (*Stream)(nil)

// NewStream makes a stream. FramingAuto writes lines until it has read a header.
func NewStream(conn io.ReadWriteCloser, framing Framing, maxMessage int) *Stream {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	s := &Stream{conn: conn, reader: newReader(conn, framing, maxMessage), outbox: newOutbox(conn)}
	s.outbox.header = framing == FramingHeader
	s.open, s.shut = context.WithCancel(context.Background())
	s.writer.Go(func() { _ = s.outbox.run() }) // WriteObject reports what went wrong
	return s
}

// ReadObject reads the next message into v. Of a response that is no valid JSON,
// or too long, v becomes an error, so that its call ends; a request is answered
// with one. All else that is no message is passed over.
func (s *Stream) ReadObject(v any) error {
	m, err := s.next()
	if err != nil {
		return err
	}
	return json.Unmarshal(m.text, v)
}

// next reads the next message, which is good until the next call.
func (s *Stream) next() (*message, error) {
	for {
		m, err := s.reader.next()
		if s.reader.framing == FramingHeader {
			s.outbox.useHeader()
		}
		if bad, ok := errors.AsType[*badMessage](err); ok {
			answer := appendError(nil, bad.id, wireError(bad))
			switch {
			case bad.id == nil:
			case bad.reply:
				return &message{text: answer, response: true}, nil
			default:
				s.write(answer)
			}
			continue
		}
		return m, err
	}
}

// WriteObject writes a message. It returns before the bytes are written, unless
// the peer has left more than 64 MiB unread, and with the error of an earlier
// message that could not be written.
func (s *Stream) WriteObject(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.write(text)
	_ = s.outbox.await(s.open, maxStreamUnsent) // where the stream is closed, the next read says so
	return s.outbox.failed()
}

func (s *Stream) write(text []byte) {
	s.outbox.end(append(s.outbox.begin(), text...))
	s.outbox.flush()
}

// Close writes what has gathered and closes the connection, which must end a
// Write of it. A peer that takes nothing for a second is not waited for.
func (s *Stream) Close() error {
	s.close.Do(func() {
		s.shut()
		s.outbox.close()
		s.drain()
		s.err = s.conn.Close()
		s.writer.Wait()
	})
	return s.err
}

// drain waits until all is written, a write has failed, or the peer takes nothing.
func (s *Stream) drain() {
	ended := make(chan struct{})
	go func() { // ends with the writer, for which Close waits
		s.writer.Wait()
		close(ended)
	}()
	for before := int64(-1); ; {
		written := s.outbox.written.Load()
		if written == before {
			return
		}
		before = written
		select {
		case <-ended:
			return
		case <-time.After(streamPatience):
		}
	}
}

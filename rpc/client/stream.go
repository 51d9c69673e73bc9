package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/rpc/wire"
)

// Stream is a jsonrpc2.ObjectStream over a connection, in either framing. It reads
// strict JSON and bounds the memory of reading and writing, as rpc.Serve does. A
// Client uses it, and so can a program that mounts rpc.Handler on a jsonrpc2.Conn.
type Stream struct {
	conn   io.ReadWriteCloser
	reader *wire.Reader
	outbox *wire.Outbox
	writer sync.WaitGroup
	open   context.Context // ends when Close begins
	shut   context.CancelFunc
	close  sync.Once
	err    error // of closing
}

const (
	// maxUnsent is how many bytes a Stream holds that its peer has not
	// read, before WriteObject waits.
	maxUnsent = wire.DefaultMaxUnsent
	// closeTimeout is how long a peer may read nothing before Close drops the
	// messages that are left.
	closeTimeout = time.Second
)

var _ jsonrpc2.ObjectStream = (*Stream)(nil)

// NewStream makes a stream over a connection, which Close closes. MaxMessage is the
// length of the longest message to read, in bytes; 0 is wire.DefaultMaxMessage. With
// wire.FramingAuto it writes lines until it has read a header.
func NewStream(conn io.ReadWriteCloser, framing wire.Framing, maxMessage int) *Stream {
	if maxMessage <= 0 {
		maxMessage = wire.DefaultMaxMessage
	}
	s := &Stream{conn: conn, reader: wire.NewReader(conn, framing, maxMessage), outbox: wire.NewOutbox(conn)}
	if framing == wire.FramingHeader {
		s.outbox.UseHeader()
	}
	s.open, s.shut = context.WithCancel(context.Background())
	s.writer.Go(func() { _ = s.outbox.Run() }) // WriteObject reports what went wrong
	return s
}

// ReadObject reads the next message into v. A response that is no valid JSON, or is
// too long, becomes a response with an error, so that its call ends. A request of
// that kind is answered with an error. Other input that is no message is skipped, and
// so is a response without an id: a jsonrpc2.Conn takes it for that of its first call.
func (s *Stream) ReadObject(v any) error {
	m, err := s.next()
	if err != nil {
		return err
	}
	return json.Unmarshal(m.Text, v)
}

// next reads the next message, which is good until the next call.
func (s *Stream) next() (*wire.Message, error) {
	for {
		m, err := s.reader.Next()
		if s.reader.Framing() == wire.FramingHeader {
			s.outbox.UseHeader()
		}
		if bad, ok := errors.AsType[*wire.BadMessage](err); ok {
			answer := wire.AppendError(nil, bad.ID, bad.Answer())
			switch {
			case bad.ID == nil, bad.Response && isNull(bad.ID):
			case bad.Response:
				return &wire.Message{Text: answer}, nil
			default:
				s.write(answer)
			}
			continue
		}
		if err == nil && m.IsResponse() && (m.ID == nil || isNull(m.ID)) {
			continue
		}
		return m, err
	}
}

func isNull(id []byte) bool { return string(id) == "null" }

// WriteObject queues a message to be written. It waits only while more than 64 MiB are
// unsent. Its error may be that of an earlier message.
func (s *Stream) WriteObject(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.write(text)
	_ = s.outbox.Await(s.open, maxUnsent) // where the stream is closed, the next read says so
	return s.outbox.Err()
}

// writeRequest queues a request, and waits only while more than 64 MiB are unsent.
func (s *Stream) writeRequest(ctx context.Context, id []byte, method string, params any) error {
	text := wire.AppendJSON(nil, params)
	b := append(s.outbox.Begin(), `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"method":"`...)
	b = append(b, method...)
	b = append(b, `","params":`...)
	s.outbox.End(append(append(b, text...), '}'))
	s.outbox.Flush()
	_ = s.outbox.Await(ctx, maxUnsent) // where the context has ended, the caller sees it
	return s.outbox.Err()
}

func (s *Stream) write(text []byte) {
	s.outbox.End(append(s.outbox.Begin(), text...))
	s.outbox.Flush()
}

// Close writes what is queued and closes the connection; closing that must end a Write
// of it. Close gives up a peer that reads nothing for a second.
func (s *Stream) Close() error {
	s.close.Do(func() {
		s.shut()
		s.outbox.Close()
		s.drain()
		s.err = s.conn.Close()
		s.writer.Wait()
	})
	return s.err
}

// drain waits until all is written, a write has failed, or the peer reads nothing.
func (s *Stream) drain() {
	ended := make(chan struct{})
	go func() { // ends with the writer, for which Close waits
		s.writer.Wait()
		close(ended)
	}()
	for before := int64(-1); ; {
		written := s.outbox.Written()
		if written == before {
			return
		}
		before = written
		select {
		case <-ended:
			return
		case <-time.After(closeTimeout):
		}
	}
}

package exec

import (
	"io"
	"strconv"
	"sync"

	"github.com/jobline/jobline/schema"
)

// Ordered is the value of Input.Stderr with which the log of a task says in which
// order its two streams were written.
const Ordered = "ordered"

// inOrder makes writers of stdout and stderr that note in the log, in lines like
// "stdout 512", up to which offset a stream was written before the other went on. So
// the log grows with the changes from one to the other alone.
func inOrder(stdout, stderr, log io.Writer) (orderedOut, orderedErr io.Writer) {
	o := &outputOrder{log: log}
	return &orderedStream{order: o, to: stdout, stream: schema.Stdout}, &orderedStream{order: o, to: stderr, stream: schema.Stderr}
}

// outputOrder is what two streams share.
type outputOrder struct {
	mu     sync.Mutex
	log    io.Writer
	latest *orderedStream // that was written to last, or nil
	line   []byte
}

// orderedStream is one of the two streams.
type orderedStream struct {
	order  *outputOrder
	to     io.Writer
	stream schema.Stream
	offset int64
}

// Write writes to the stream, and notes before that where the other one stands.
func (s *orderedStream) Write(p []byte) (int, error) {
	o := s.order
	o.mu.Lock()
	defer o.mu.Unlock()
	if before := o.latest; before != nil && before != s {
		o.line = append(o.line[:0], before.stream.String()...)
		o.line = append(o.line, ' ')
		o.line = append(strconv.AppendInt(o.line, before.offset, 10), '\n')
		if _, err := o.log.Write(o.line); err != nil {
			return 0, err
		}
	}
	o.latest = s
	n, err := s.to.Write(p)
	s.offset += int64(n)
	return n, err
}

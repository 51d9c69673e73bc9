package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/jobline/jobline/schema"
	"github.com/jobline/jobline/schema/jsonscan"
)

// Framing is how messages are told apart on a connection.
type Framing uint8

// The framings. Auto decides by the first line that is not blank.
const (
	FramingAuto   Framing = iota
	FramingLine           // one message per line
	FramingHeader         // Content-Length: N, as in the Language Server Protocol
)

// The limits of reading.
const (
	DefaultMaxMessage = 16 << 20
	MaxNesting        = 1000
	// firstBuffer is how many bytes are read at once at first, so that a connection
	// that hardly sends anything takes little memory, and busyBuffer how many while
	// much is sent.
	firstBuffer = 2 << 10
	busyBuffer  = 64 << 10
)

// Reader cuts a stream of bytes into messages, and goes on after any input. A message
// that Next answers is strict JSON (RFC 8259 in UTF-8, without duplicate names) and
// is valid until the next call. A Reader is for one goroutine.
//
// In line framing a value ends where its outermost bracket closes, or at the end of
// the line. A line that is not JSON spoils only itself.
type Reader struct {
	source  io.Reader
	limit   int
	framing Framing

	// BeforeRead is called before a read that may block.
	BeforeRead func()

	begun      bool // the beginning of the stream was looked at
	buf        []byte
	start, end int  // buf[start:end] is read and not yet used
	filled     bool // the latest read has filled the buffer
	err        error
	skip       skip
	line       lineState
	scanner    jsonscan.Scanner
	message    Message // the latest
}

// lineState is what is known of the line that begins at start.
type lineState struct {
	answered bool           // a bad part of it was reported
	scan     bracketScanner // over what is buffered of a value that has no newline yet
	more     bool           // a value of it was read, so it may have very many
	searched int            // where in the buffer the search for its newline goes on
	newline  int            // where in the buffer it is, or 0
}

// skip is the unread rest of a message that is too long. The message was reported
// already; its rest is skipped before anything else is read.
type skip struct {
	line  bool  // up to the end of the line
	bytes int64 // or so many bytes
}

// BadMessage is the error of Next for input that is no message; Next can be called
// again. Its slices are valid until then.
type BadMessage struct {
	identity
	Batch []byte // an array whose elements can be told apart, to be checked one by one; or nil
	code  schema.Code
	text  string
	over  int64 // the limit that was passed, or 0
}

func (b *BadMessage) Error() string { return b.text }

// Answer is the error to answer the message with.
func (b *BadMessage) Answer() *Error {
	e := NewError(b.code, "%s", b.text)
	e.Data.Limit = b.over
	return e
}

// NewReader makes a reader of messages that are at most limit bytes long.
func NewReader(source io.Reader, framing Framing, limit int) *Reader {
	return &Reader{source: source, framing: framing, limit: limit, BeforeRead: func() {}}
}

// Framing is the framing of the connection: FramingAuto until its first line was read.
func (r *Reader) Framing() Framing { return r.framing }

// Next reads the next message. Its error is a *BadMessage, after which Next can be
// called again, or the end of the stream: io.EOF where it ended in order.
func (r *Reader) Next() (*Message, error) {
	if !r.begun {
		r.begun = true
		r.skipByteOrderMark()
	}
	if r.skip != (skip{}) {
		if err := r.skipRest(); err != nil {
			return nil, err
		}
	}
	if err := r.skipSpace(); err != nil {
		return nil, err
	}
	if r.framing == FramingAuto {
		r.framing = r.firstFraming()
	}
	if r.framing == FramingHeader {
		return r.nextFrame()
	}
	return r.nextLine()
}

// skipSpace goes on to the next byte that is not white space.
func (r *Reader) skipSpace() error {
	for {
		for r.start < r.end {
			switch r.buf[r.start] {
			case '\n':
				r.line = lineState{}
			case ' ', '\t', '\r':
			default:
				return nil
			}
			r.start++
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// fill reads more bytes into the buffer, which grows up to the limit of a message.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	r.BeforeRead()
	if r.start > 0 { // keep what is not used at the front
		copy(r.buf, r.buf[r.start:r.end])
		r.end -= r.start
		r.line.searched = max(r.line.searched-r.start, 0)
		r.line.newline = 0
		r.start = 0
		if r.end == 0 && len(r.buf) > busyBuffer { // a large message is over
			r.buf = nil
		}
	}
	if r.end == len(r.buf) || r.filled && len(r.buf) < busyBuffer {
		grow := min(len(r.buf), r.limit+1-len(r.buf))             // doubled, up to the limit
		larger := make([]byte, len(r.buf)+max(firstBuffer, grow)) // append would make it a quarter larger than that
		copy(larger, r.buf[:r.end])
		r.buf = larger
	}
	n, err := r.source.Read(r.buf[r.end:])
	r.end += n
	r.filled = r.end == len(r.buf)
	if err != nil {
		r.err = err
	}
	if n > 0 {
		return nil
	}
	return err
}

// nextLine answers a value that begins at start.
func (r *Reader) nextLine() (*Message, error) {
	for {
		if r.line.newline > r.start {
			return r.fromLine(r.buf[r.start:r.line.newline])
		}
		r.line.searched = max(r.line.searched, r.start)
		if i := bytes.IndexByte(r.buf[r.line.searched:r.end], '\n'); i >= 0 {
			r.line.newline = r.line.searched + i
			continue
		}
		r.line.searched = r.end
		rest := r.buf[r.start:r.end]
		if n := r.line.scan.step(rest[:min(len(rest), r.limit)]); n > 0 { // ended without a newline
			return r.take(rest[:n])
		}
		if len(rest) > r.limit {
			r.skip.line = true
			return nil, r.tooLarge(rest)
		}
		if err := r.fill(); err != nil {
			return r.endInLine(err)
		}
	}
}

// fromLine answers the first value of a line.
func (r *Reader) fromLine(line []byte) (*Message, error) {
	if len(line) > r.limit { // it can still begin with messages that are not
		if n := r.line.scan.step(line[:r.limit]); n > 0 {
			return r.take(line[:n])
		}
		r.start += len(line)
		return nil, r.tooLarge(line)
	}
	if first := line[0]; first != '{' && first != '[' {
		return r.spoilRest(line, "a message begins with { or [")
	}
	var s bracketScanner
	if r.line.more { // do not look at all of the line for each of them
		if n := s.step(line); n > 0 {
			return r.take(line[:n])
		}
	}
	n, err := r.read(line)
	if err == nil {
		r.start += n
		r.line.scan, r.line.more = bracketScanner{}, true
		return &r.message, nil
	}
	if n = s.step(line); n == 0 {
		return r.spoilRest(line, "not JSON: "+err.Error())
	}
	return r.take(line[:n])
}

// take reads a value that ends where its outermost bracket closes.
func (r *Reader) take(piece []byte) (*Message, error) {
	r.start += len(piece)
	r.line.scan, r.line.more = bracketScanner{}, true
	_, err := r.read(piece)
	if err == nil {
		return &r.message, nil
	}
	r.line.answered = true
	return nil, notJSON(piece, "not JSON: "+err.Error())
}

// notJSON makes a bad message, with its id or batch where they can be read.
func notJSON(piece []byte, text string) *BadMessage {
	return &BadMessage{identity: identify(piece), Batch: batchOf(piece), code: schema.CodeParse, text: text}
}

// spoilRest skips the rest of a line, which is bad. A line is reported once; a further
// bad part only where it has an id or is a batch, for which a client waits.
func (r *Reader) spoilRest(line []byte, text string) (*Message, error) {
	r.start += len(line)
	r.line.scan = bracketScanner{}
	bad := notJSON(line, text)
	if r.line.answered && bad.ID == nil && bad.Batch == nil {
		return r.Next()
	}
	return nil, bad
}

// Element checks an element of a broken batch by itself.
func (r *Reader) Element(value []byte) *BadMessage {
	if len(value) == 0 {
		return notJSON(value, "not JSON: an element of the batch is empty")
	}
	n, err := r.read(value)
	if err == nil && n < len(value) {
		err = errors.New("an element of the batch is more than one value")
	}
	if err != nil {
		return notJSON(value, "not JSON: "+err.Error())
	}
	return nil
}

// endInLine is the end of the stream in the middle of a line.
func (r *Reader) endInLine(err error) (*Message, error) {
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	line := r.buf[r.start:r.end]
	if len(line) == 0 {
		return nil, err
	}
	return r.fromLine(bytes.TrimRight(line, " \t\r"))
}

// read reads the message at the beginning of text and answers its length.
func (r *Reader) read(text []byte) (int, error) {
	r.scanner.Reset(text, MaxNesting)
	r.message.Read(&r.scanner)
	if err := r.scanner.Err(); err != nil {
		return 0, PlainError(err)
	}
	return r.scanner.Offset(), nil
}

// PlainError says what is wrong with JSON in words for a client.
func PlainError(err *jsonscan.SyntaxError) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the message ends too early")
	case errors.Is(err, jsonscan.ErrDepth):
		return fmt.Errorf("nested deeper than %d", MaxNesting)
	case errors.Is(err, jsonscan.ErrDuplicateName):
		return fmt.Errorf("at byte %d: %w %q", err.Offset, err.Err, schema.Cut(err.Name))
	case err.Pointer == "":
		return err
	default:
		return fmt.Errorf("at byte %d, in %s: %w", err.Offset, schema.Cut(err.Pointer), err.Err)
	}
}

// skipRest skips the rest of a message that is too long.
func (r *Reader) skipRest() error {
	for {
		have := r.buf[r.start:r.end]
		n := min(r.skip.bytes, int64(len(have)))
		if r.skip.line {
			if i := bytes.IndexByte(have, '\n'); i >= 0 {
				r.start += i
				r.skip = skip{}
				return nil
			}
			n = int64(len(have))
		} else if r.skip.bytes -= n; r.skip.bytes == 0 {
			r.start += int(n)
			return nil
		}
		r.start += int(n)
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// tooLarge is the error of a message that is too long, whose beginning was read.
func (r *Reader) tooLarge(beginning []byte) error {
	r.line.scan = bracketScanner{}
	return &BadMessage{
		identity: identify(beginning[:min(len(beginning), r.limit)]),
		code:     schema.CodeTooLarge, over: int64(r.limit),
		text: fmt.Sprintf("the message is longer than %d bytes; send large data by file, or raise --max-message", r.limit),
	}
}

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jobline/jobline/schema"
)

const (
	// maxHeader bounds a header block, in bytes.
	maxHeader = 8 << 10
	// maxIDSearch is how many bytes of a frame that is too large are searched for
	// the id of its request.
	maxIDSearch = 64 << 10
)

// byteOrderMark is written by some programs at the beginning of UTF-8 text.
const byteOrderMark = "\xef\xbb\xbf"

// skipByteOrderMark skips a byte order mark at the beginning of the stream. An error
// of reading comes again at the next read.
func (r *Reader) skipByteOrderMark() {
	for {
		have := r.buf[r.start:r.end]
		if len(have) >= len(byteOrderMark) {
			r.start += len(have) - len(bytes.TrimPrefix(have, []byte(byteOrderMark)))
			return
		}
		if !bytes.HasPrefix([]byte(byteOrderMark), have) || r.fill() != nil {
			return
		}
	}
}

// headerPrefix begins the names of all headers of the Language Server Protocol.
const headerPrefix = "Content-"

// firstFraming chooses the framing by the first line of a connection: header framing
// where it is a header of the Language Server Protocol, else line framing. A line
// with a colon is not enough: it may be of a log.
func (r *Reader) firstFraming() Framing {
	for {
		have := r.buf[r.start:r.end]
		name := bytes.IndexFunc(have, func(c rune) bool { return !inHeaderName(c) })
		switch {
		case name > len(headerPrefix) && have[name] == ':' && bytes.EqualFold(have[:len(headerPrefix)], []byte(headerPrefix)):
			return FramingHeader
		case name >= 0 || len(have) > maxHeader || r.fill() != nil: // an error of reading is met again
			return FramingLine
		}
	}
}

// inHeaderName reports whether the name of a header can have the character, by RFC 9110.
func inHeaderName(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// BrokenHeaderError says what is wrong with a header block. The connection cannot go on: the beginning of the
// next frame is not known.
type BrokenHeaderError struct{ text string }

func (e *BrokenHeaderError) Error() string { return e.text }

// nextFrame reads the next message of header framing.
func (r *Reader) nextFrame() (*Message, error) {
	length, err := r.header()
	if err != nil {
		return nil, err
	}
	if length > int64(r.limit) {
		if err := r.await(min(int64(r.limit), maxIDSearch)); err != nil {
			return nil, r.endInFrame(err)
		}
		r.skip.bytes = length
		return nil, r.tooLarge(trimBlank(r.buf[r.start:r.end]))
	}
	if err := r.await(length); err != nil {
		return nil, r.endInFrame(err)
	}
	body := bytes.TrimLeft(r.buf[r.start:r.start+int(length)], " \t\r\n")
	r.start += int(length)
	_, err = r.read(body)
	if err == nil && !r.scanner.AtEnd() {
		err = errors.New("the frame has more than one message")
	}
	if err != nil {
		return nil, notJSON(body, "not JSON: "+err.Error())
	}
	return &r.message, nil
}

// await reads until so many bytes are there.
func (r *Reader) await(n int64) error {
	for int64(r.end-r.start) < n {
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) endInFrame(err error) error {
	body := trimBlank(r.buf[r.start:r.end])
	r.start = r.end
	if errors.Is(err, io.EOF) {
		return &BadMessage{identity: identify(body), code: schema.CodeParse, text: "the stream ends in the middle of a frame"}
	}
	return err
}

// header reads a header block and answers the Content-Length.
func (r *Reader) header() (int64, error) {
	length := int64(-1)
	for used := 0; ; {
		line, err := r.headerLine(&used)
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return 0, &BrokenHeaderError{"a header line has no colon (the connection has header framing, since its first line was a header or --framing says so)"}
		}
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		value = bytes.TrimSpace(value)
		n, err := strconv.ParseUint(string(value), 10, 63) // which takes no sign
		switch {
		case err != nil:
			return 0, &BrokenHeaderError{fmt.Sprintf("the Content-Length %q is not a number of bytes", schema.Cut(value))}
		case length >= 0 && int64(n) != length:
			return 0, &BrokenHeaderError{fmt.Sprintf("the header has two Content-Lengths, %d and %d", length, n)}
		}
		length = int64(n)
	}
	if length < 0 {
		return 0, &BrokenHeaderError{"the header has no Content-Length"}
	}
	return length, nil
}

// headerLine answers a line of a header without its end.
func (r *Reader) headerLine(used *int) ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.start:r.end], '\n'); i >= 0 {
			line := r.buf[r.start : r.start+i]
			r.start += i + 1
			if *used += i + 1; *used > maxHeader {
				break
			}
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		if *used+r.end-r.start > maxHeader {
			break
		}
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				r.start = r.end
				return nil, &BadMessage{code: schema.CodeParse, text: "the stream ends in the middle of a header"}
			}
			return nil, err
		}
	}
	return nil, &BrokenHeaderError{fmt.Sprintf("the header is longer than %d bytes", maxHeader)}
}

package top

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// What is shown of the output of a task.
const (
	mostLines   = 2000     // the newest
	mostOfLine  = 4 << 10  // bytes
	pieceOfTask = 32 << 10 // bytes of each stream that are read at a time; what is more is skipped
)

// line is a line of output, harmless for a terminal.
type line struct {
	stream schema.Stream
	text   string
}

// detail is what the detail pane shows of a task.
type detail struct {
	id        uuid.UUID
	task      schema.Task // with its input; the nil id where it is not known
	forgotten bool        // it is no longer kept
	lines     []line
	first     int // how many lines came before those
}

// readOutput tells the screen of the task that it wants to know in detail.
func (s *source) readOutput(ctx context.Context, c *client.Client) error {
	r := &outputReader{client: c}
	for {
		changed, err := r.read(ctx, s.wants().detail)
		if err != nil {
			return err
		}
		if changed {
			s.send(r.detail())
		}
		pause := outputEvery
		if r.id == uuid.Nil || r.done {
			pause = time.Hour
		}
		if !wait(ctx, pause, s.detail) {
			return context.Cause(ctx)
		}
	}
}

// outputReader reads what a task writes.
type outputReader struct {
	client    *client.Client
	id        uuid.UUID
	task      schema.Task
	done      bool // it has ended, and all was read
	forgotten bool
	next      [len(schema.StreamNames)]int64
	begun     [len(schema.StreamNames)]bool
	broken    [len(schema.StreamNames)][]byte // the begin of a line
	lines     []line
	first     int
}

// detail is what the screen shows now: the lines, and the begins of those that are not
// complete.
func (r *outputReader) detail() detail {
	d := detail{id: r.id, task: r.task, forgotten: r.forgotten, lines: slices.Clone(r.lines), first: r.first}
	for stream, text := range r.broken {
		if len(text) > 0 {
			d.lines = append(d.lines, line{schema.Stream(stream), shownLine(string(text))})
		}
	}
	return d
}

// sameWaits reports whether a task waits for the same as before.
func sameWaits(before, now []schema.Waiting) bool {
	return slices.EqualFunc(before, now, func(a, b schema.Waiting) bool { return a.Message == b.Message })
}

// sameParts reports whether a task has as many parts in each state as before.
func sameParts(before, now *schema.TaskCounts) bool {
	return before == now || before != nil && now != nil && *before == *now
}

// read reads what is new of a task, and reports whether there is anything.
func (r *outputReader) read(ctx context.Context, id uuid.UUID) (changed bool, err error) {
	if id != r.id {
		*r = outputReader{client: r.client, id: id}
		changed = true
	}
	if id == uuid.Nil || r.done {
		return changed, nil
	}
	before := r.task
	r.task, err = r.client.Status(ctx, schema.StatusParams{ID: id, IncludeInput: true, IncludeChildren: true})
	if answered(err) { // it is no longer kept
		r.task, r.done, r.forgotten = schema.Task{}, true, true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	changed = changed || before.State != r.task.State || !sameWaits(before.WaitingFor, r.task.WaitingFor) || !sameParts(before.Children, r.task.Children)
	if r.task.State == schema.Queued {
		return changed, nil
	}
	ended := 0
	for stream := range r.next {
		if schema.Stream(stream) == schema.Log && show.Ordered(&r.task) { // it has no text of its own
			ended++
			continue
		}
		n, eof, err := r.readStream(ctx, schema.Stream(stream))
		switch {
		case answered(err):
			eof = true
		case err != nil:
			return false, err
		}
		changed = changed || n > 0
		if eof {
			ended++
		}
	}
	r.done = ended == len(r.next)
	return changed || r.done, nil
}

// readStream reads the newest of a stream, and answers how many bytes are new.
func (r *outputReader) readStream(ctx context.Context, stream schema.Stream) (n int64, eof bool, err error) {
	p := schema.OutputParams{ID: r.id, Stream: &stream, Limit: pieceOfTask}
	if r.begun[stream] {
		p.Offset = &r.next[stream]
	} else {
		p.TailBytes = new(int64(pieceOfTask))
	}
	piece, err := r.client.Output(ctx, p)
	if err == nil && piece.NextOffset-piece.Offset == pieceOfTask && !piece.EOF { // there may be much more
		p.Offset, p.TailBytes = nil, new(int64(pieceOfTask))
		piece, err = r.client.Output(ctx, p)
	}
	if err != nil {
		return 0, false, err
	}
	if piece.Offset > r.next[stream] && (r.begun[stream] || piece.Offset > piece.TruncatedBefore) {
		r.broken[stream] = nil
		r.add(stream, "… what came before is left out")
	}
	n = piece.NextOffset - max(piece.Offset, r.next[stream])
	r.begun[stream], r.next[stream] = true, piece.NextOffset
	data := []byte(piece.Data)
	if piece.Encoding == schema.EncodingBase64 {
		data, _ = base64.StdEncoding.DecodeString(piece.Data) // the server has encoded it
	}
	r.write(stream, data, piece.EOF)
	return n, piece.EOF, nil
}

// write takes what was written to a stream apart into lines.
func (r *outputReader) write(stream schema.Stream, data []byte, eof bool) {
	for len(data) > 0 {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		r.broken[stream] = append(r.broken[stream], text...)
		if data = rest; whole {
			r.add(stream, string(r.broken[stream]))
			r.broken[stream] = r.broken[stream][:0]
		}
	}
	if over := len(r.broken[stream]) - mostOfLine; over > 0 {
		r.broken[stream] = slices.Delete(r.broken[stream], 0, over)
	}
	if eof && len(r.broken[stream]) > 0 {
		r.add(stream, string(r.broken[stream]))
		r.broken[stream] = nil
	}
}

// tabColumns is how far tab stops are apart.
const tabColumns = 8

// add adds a line.
func (r *outputReader) add(stream schema.Stream, text string) {
	r.lines = append(r.lines, line{stream, shownLine(text)})
	if over := len(r.lines) - mostLines; over > 0 {
		r.lines = slices.Delete(r.lines, 0, over)
		r.first += over
	}
}

// shownLine is a line as a terminal would show it at last, with nothing in it that a
// terminal would obey: what a carriage return would overwrite is left out.
func shownLine(text string) string {
	text = strings.TrimRight(text, "\r")
	text = text[strings.LastIndexByte(text, '\r')+1:]
	parts := strings.Split(string(show.Escape(nil, []byte(text[:min(len(text), mostOfLine)]))), "\t")
	var b strings.Builder
	columns := 0
	for i, part := range parts {
		if i > 0 {
			spaces := tabColumns - columns%tabColumns
			columns += spaces
			b.WriteString(strings.Repeat(" ", spaces))
		}
		columns += show.Columns(part)
		b.WriteString(part)
	}
	return b.String()
}

package cmd

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// mostOpen is how many outputs a program can have open at once. Each has a connection of its own, of
	// which a server has 1,024 for all programs.
	mostOpen = 100
	// mostOutput is how much of an output is told at once, in bytes.
	mostOutput = 16 << 10
	// mostWaiting is how much of an output may wait to be told, in bytes, before no more is read.
	mostWaiting = 256 << 10
	// outputPause is the time between two lines with output, in which an editor takes keys.
	outputPause = 2 * time.Millisecond
)

// viewOutput is what has come of an output.
type viewOutput struct {
	ID    uuid.UUID `json:"id"`
	Clear bool      `json:"clear,omitzero"` // begin anew
	// Lines come in the place of the last line, which has not ended.
	Lines []string `json:"lines,omitzero"`
	// Spans are [line, column, length, look], in lines from 0 and in bytes.
	Spans [][4]any `json:"spans,omitzero"`
	Text  string   `json:"text,omitzero"`  // with --raw in place of Lines
	Drop  int      `json:"drop,omitzero"`  // then so many of the first lines go
	First string   `json:"first,omitzero"` // then this is the first line
	Older bool     `json:"older,omitzero"` // there is more, which open shows with a larger tail
	Ended *viewRow `json:"ended,omitzero"` // all is shown
	Error string   `json:"error,omitzero"` // nothing more can be shown
}

// viewedOutput is the output of a task that the program has open.
type viewedOutput struct {
	viewer *viewer
	id     uuid.UUID
	bounds viewBounds
	stop   context.CancelFunc
	ctx    context.Context // ends when it is closed
	room   chan struct{}   // has room for one: less waits

	mu       sync.Mutex
	terminal show.TerminalLines
	waiting  []show.ShownLine // what comes in the place of the program's last line
	raw      []byte           // the same with --raw
	size     int              // of waiting and raw, in bytes
	unended  bool             // the last line has not ended
	begun    bool             // something has come
	next     viewOutput       // what else the program is to be told
	shown    shownLines
}

// shownLines are the sizes of the lines that a program has, in bytes.
type shownLines struct {
	sizes []int // but of the last, which has not ended
	bytes int
	gone  int // how many were removed
}

// Write takes text that the task has written. It waits where too much waits to be told.
func (o *viewedOutput) Write(text []byte) (int, error) {
	for {
		o.mu.Lock()
		if o.size < mostWaiting {
			o.addLocked(text)
			o.mu.Unlock()
			o.viewer.outputs.wakeUp()
			return len(text), nil
		}
		o.mu.Unlock()
		select {
		case <-o.room:
		case <-o.ctx.Done():
			return 0, context.Cause(o.ctx)
		}
	}
}

func (o *viewedOutput) addLocked(text []byte) {
	o.begun = o.begun || len(text) > 0
	if o.viewer.options.raw {
		o.raw, o.size = append(o.raw, text...), o.size+len(text)
		o.unended = !bytes.HasSuffix(o.raw, []byte{'\n'}) && (len(o.raw) > 0 || o.unended)
		return
	}
	lines := o.terminal.Append(text)
	o.waiting = append(o.waiting[:max(0, len(o.waiting)-1)], lines...)
	o.unended = lines[len(lines)-1].Text != ""
	o.size += len(text)
}

// missing notes that output is not shown: older output at the beginning, or some that came too fast.
func (o *viewedOutput) missing(bytes int64) error {
	hint := ""
	if o.viewer.options.olderKey != "" {
		hint = "; " + o.viewer.options.olderKey + " shows more"
	}
	o.mu.Lock()
	o.next.Older = true
	o.mu.Unlock()
	_, err := fmt.Fprintf(o, "[%d bytes before this are not shown%s]\n", bytes, hint)
	return err
}

// end adds the line that tells how the task has ended.
func (o *viewedOutput) end(row viewRow) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := "\x1b[m"
	if o.unended {
		text += "\n"
	}
	o.addLocked([]byte(text + endLine(&row)))
	o.next.Ended = &row
}

// take takes what the program is to be told next, if anything, and whether there is more.
func (o *viewedOutput) take() (told *viewOutput, looks []show.Look, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.next
	next.ID = o.id
	if o.viewer.options.raw {
		n := cutText(o.raw, mostOutput)
		next.Text = string(o.raw[:n])
		o.raw = bytes.Clone(o.raw[n:])
		o.size, more = len(o.raw), len(o.raw) > 0
	} else {
		looks, more = o.takeLinesLocked(&next)
	}
	if more {
		next.Ended, next.Error = nil, ""
	} else {
		o.size = 0
	}
	if !next.Clear && next.Lines == nil && next.Text == "" && next.Ended == nil && next.Error == "" {
		return nil, nil, false
	}
	o.next.Clear, o.next.Older = false, false
	if next.Ended != nil || next.Error != "" {
		o.next = viewOutput{}
	}
	select {
	case o.room <- struct{}{}:
	default:
	}
	return &next, looks, more
}

// takeLinesLocked takes lines, up to mostOutput.
func (o *viewedOutput) takeLinesLocked(next *viewOutput) (looks []show.Look, more bool) {
	if len(o.waiting) == 0 {
		return nil, false
	}
	n, size := 0, 0
	for n < len(o.waiting) && (n == 0 || size+len(o.waiting[n].Text) < mostOutput) {
		size += len(o.waiting[n].Text) + 1
		n++
	}
	more = n < len(o.waiting)
	for i, line := range o.waiting[:n] {
		next.Lines = append(next.Lines, line.Text)
		for _, p := range line.Parts {
			next.Spans = append(next.Spans, [4]any{i, p.Column, p.Length, p.Look.Name()})
			looks = append(looks, p.Look)
		}
		if more || i < n-1 {
			o.shown.sizes, o.shown.bytes = append(o.shown.sizes, len(line.Text)+1), o.shown.bytes+len(line.Text)+1
		}
	}
	if more {
		next.Lines = append(next.Lines, "") // the next lines come in its place
		o.waiting = append([]show.ShownLine(nil), o.waiting[n:]...)
		o.size = max(0, o.size-size)
	} else {
		o.waiting = nil
	}
	if next.Drop = o.shown.drop(o.bounds.lines, o.bounds.bytes); next.Drop > 0 {
		next.First = fmt.Sprintf("[%d older lines were removed]", o.shown.gone)
	}
	return looks, more
}

// drop removes the oldest lines that are too many, and some more, so that it is not done for each
// line. It answers how many go before the line that then tells of it.
func (s *shownLines) drop(mostLines, mostBytes int) int {
	if len(s.sizes) <= mostLines && s.bytes <= mostBytes {
		return 0
	}
	n := 0
	for n < len(s.sizes)-1 && (len(s.sizes)-n > mostLines-mostLines/10 || s.bytes > mostBytes-mostBytes/10) {
		s.bytes -= s.sizes[n]
		n++
	}
	if n == 0 {
		return 0
	}
	if s.gone == 0 {
		s.gone = 1 // the line in whose place the first notice comes
	}
	s.gone += n
	s.sizes = append([]int(nil), s.sizes[n:]...)
	return n
}

// cutText is how much of a text is told at once: whole lines where there is one, or else whole
// characters.
func cutText(text []byte, most int) int {
	if len(text) <= most {
		return len(text)
	}
	if n := bytes.LastIndexByte(text[:most], '\n') + 1; n > 0 {
		return n
	}
	for most > 1 && !utf8.RuneStart(text[most]) {
		most--
	}
	return most
}

// follow shows the output until the task or ctx has ended.
func (o *viewedOutput) follow() {
	options := logsOptions{driver: o.viewer.options.program.driver(), follow: true, tail: -1, stream: allOutput}
	options.viewer = viewerOptions{on: true, tail: o.bounds.tail, to: o}
	err := options.viewTask(o.ctx, o.viewer.withServer, []string{o.id.String()})
	if err == nil && o.ctx.Err() == nil {
		err = o.viewer.withServer(o.ctx, func(ctx context.Context, c *client.Client) error {
			t, err := c.Status(ctx, schema.StatusParams{ID: o.id, IncludeInput: true})
			if err == nil {
				o.end(viewRowOf(&t, time.Now(), true))
			}
			return err
		})
	}
	if err != nil {
		o.mu.Lock()
		o.next.Error = err.Error()
		o.mu.Unlock()
	}
	o.viewer.outputs.wakeUp()
}

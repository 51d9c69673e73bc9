package cmd

import (
	"bytes"
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// This file reads what tasks have written before.

const (
	// toItsEnd is the offset of the end of a stream, wherever that is.
	toItsEnd = math.MaxInt64
	// pieceOfOutput is how much is asked for at once, in bytes.
	pieceOfOutput = 256 << 10
	// tailBytes is how much of the end of a stream --tail looks at.
	tailBytes = 1 << 20
)

// logPiece is a piece of a stream of a task.
type logPiece struct {
	id     uuid.UUID
	stream schema.Stream
	offset int64
	seq    uint64 // of its event; 0 for what was read later
	data   []byte
}

// past shows what a task has written until now.
func (l *logs) past(ctx context.Context, t *loggedTask) error {
	task, err := l.client.Status(ctx, schema.StatusParams{ID: t.id, IncludeInput: true, IncludeAttempts: true})
	if err != nil {
		return err
	}
	t.final, t.ordered = task.State.Final(), show.Ordered(&task)
	print := l.print.byAttempt(task.Attempts, l.print.show)
	show, done := print, func() error { return nil }
	if l.options.tail >= 0 {
		last := &lastLines{most: l.options.tail}
		show, done = last.add, func() error { return last.print(print) }
	}
	if err := l.kept(ctx, t, &task, show); err != nil {
		return err
	}
	if err := done(); err != nil {
		return err
	}
	if o := task.OutputBytes; o == nil || o.Stdout+o.Stderr+o.Log == 0 {
		l.print.nothing(&task, l.options.follow)
	}
	if task.State == schema.Running && task.Attempt > 1 { // it may have written nothing yet
		return l.print.attempt(t.id, task.Attempt)
	}
	if !t.final {
		return nil
	}
	if err := l.print.flush(t.id); err != nil || !l.options.follow {
		return err
	}
	l.print.failure(&task)
	return nil
}

// kept shows what is kept of the streams, up to where they are now. Without an order
// one stream follows the other.
func (l *logs) kept(ctx context.Context, t *loggedTask, task *schema.Task, show func(logPiece) error) error {
	if task.OutputBytes == nil {
		return nil
	}
	ends := ends(task.OutputBytes)
	if l.options.tail >= 0 {
		for i, end := range ends {
			t.next[i] = max(0, end-tailBytes)
		}
	}
	for i := range ends {
		if stream := schema.Stream(i); l.shows(stream, t.ordered) {
			far := l.skipFar(t, stream, ends[i])
			if err := l.skipLost(ctx, t, stream, far, l.options.tail < 0); err != nil {
				return err
			}
		}
	}
	var runs []outputRun
	if t.ordered && l.shows(schema.Stdout, true) && l.shows(schema.Stderr, true) {
		var err error
		if runs, err = l.runs(ctx, t.id); err != nil {
			return err
		}
	}
	for i, end := range ends {
		runs = append(runs, outputRun{schema.Stream(i), end})
	}
	for _, r := range runs {
		if !l.shows(r.stream, t.ordered) {
			continue
		}
		if err := l.upTo(ctx, t, r.stream, min(r.end, ends[r.stream]), show); err != nil {
			return err
		}
	}
	return nil
}

// ends are the offsets of the ends of the streams.
func ends(written *schema.OutputBytes) (ends [len(schema.StreamNames)]int64) {
	if written != nil {
		ends = [...]int64{written.Stdout, written.Stderr, written.Log}
	}
	return ends
}

// skipLost goes on with the first byte of a stream that is still kept. Where it is to
// tell, it says how many were before it, with those that were left out already.
func (l *logs) skipLost(ctx context.Context, t *loggedTask, stream schema.Stream, left int64, tell bool) error {
	next := &t.next[stream]
	piece, err := l.client.Output(ctx, schema.OutputParams{ID: t.id, Stream: &stream, Offset: next, Limit: 1})
	if err != nil {
		return err
	}
	lost := left + max(0, piece.TruncatedBefore-*next)
	if lost > 0 && tell {
		l.print.lost(t.id, stream, lost)
	}
	*next = max(*next, piece.TruncatedBefore)
	return nil
}

// outputRun says that a stream was written up to an offset, before the next one.
type outputRun struct {
	stream schema.Stream
	end    int64
}

// runs reads the order of stdout and stderr from the log of a task.
func (l *logs) runs(ctx context.Context, id uuid.UUID) (runs []outputRun, err error) {
	log := &loggedTask{id: id}
	if err := l.skipLost(ctx, log, schema.Log, 0, false); err != nil {
		return nil, err
	}
	var text []byte
	err = l.upTo(ctx, log, schema.Log, toItsEnd, func(p logPiece) error {
		text = append(text, p.data...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) { // the first may be cut, and is none then
		name, offset, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{' '})
		var r outputRun
		if r.end, err = strconv.ParseInt(string(offset), 10, 64); err == nil && r.stream.UnmarshalText(name) == nil {
			runs = append(runs, r)
		}
	}
	return runs, nil
}

// upTo shows a stream from where it was shown last up to an offset, as far as it is
// kept.
func (l *logs) upTo(ctx context.Context, t *loggedTask, stream schema.Stream, end int64, show func(logPiece) error) error {
	next := &t.next[stream]
	for *next < end {
		piece, err := l.client.Output(ctx, schema.OutputParams{ID: t.id, Stream: &stream, Offset: next, Limit: min(pieceOfOutput, end-*next)})
		if err != nil {
			return err
		}
		data, err := decodeOutput(piece.Data, piece.Encoding)
		if err != nil {
			return err
		}
		if lost := min(piece.Offset, end) - *next; lost > 0 {
			l.print.lost(t.id, stream, lost)
		}
		if piece.Offset >= end || len(data) == 0 {
			*next = max(*next, min(piece.Offset, end))
			return nil
		}
		data = data[:min(int64(len(data)), end-piece.Offset)] // it may begin later than asked
		*next = piece.Offset + int64(len(data))
		if err := show(logPiece{t.id, stream, piece.Offset, 0, data}); err != nil {
			return err
		}
	}
	return nil
}

// lastLines keeps the last lines of what is added.
type lastLines struct {
	most  int
	lines []logPiece // each a line, of which only the last of a stream may lack its end
}

// add adds a piece of a stream.
func (l *lastLines) add(p logPiece) error {
	for line := range bytes.Lines(p.data) {
		if n := len(l.lines); n > 0 && l.lines[n-1].stream == p.stream && !bytes.HasSuffix(l.lines[n-1].data, []byte{'\n'}) {
			l.lines[n-1].data = append(l.lines[n-1].data, line...)
		} else {
			l.lines = append(l.lines, logPiece{p.id, p.stream, p.offset, 0, bytes.Clone(line)})
		}
		p.offset += int64(len(line))
	}
	if over := len(l.lines) - l.most; over > 0 {
		l.lines = append(l.lines[:0], l.lines[over:]...)
	}
	return nil
}

// print shows the lines.
func (l *lastLines) print(show func(logPiece) error) error {
	for _, p := range l.lines {
		if err := show(p); err != nil {
			return err
		}
	}
	return nil
}

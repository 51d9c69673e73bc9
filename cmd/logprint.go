package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// maxPartOfLine is how much of a line is held back until its end comes, in bytes: the
// output of several tasks is shown in whole lines.
const maxPartOfLine = 64 << 10

// logStyles tell several tasks apart.
var logStyles = []style{cyan, yellow, green, violet, blue}

// logPrinter prints output of tasks.
type logPrinter struct {
	program  string
	json     bool
	one      bool      // of the streams is shown, and goes to stdout
	out, err io.Writer // made safe where they go to a terminal
	outLooks terminal  // of the file that is written to
	errLooks terminal
	names    map[uuid.UUID]string // before each line; nil for the output of one task as it is
	styles   map[uuid.UUID]style
	parts    map[logStream][]byte // the lines that have not ended
	attempts map[uuid.UUID]int32  // the latest that was marked
	unended  bool                 // the latest piece, which was shown as it is, ended no line
	middle   bool                 // the latest byte on the terminal ended no line
	latest   schema.Stream        // that was written to the terminal
	viewer   *viewerPrinter       // that prints all, or nil
}

type logStream struct {
	id     uuid.UUID
	stream schema.Stream
}

func newLogPrinter(program string, tasks []schema.Task, asJSON, oneStream bool) *logPrinter {
	p := &logPrinter{
		program: program, json: asJSON, one: oneStream, out: safe(os.Stdout), err: safe(os.Stderr),
		outLooks: terminalOf(os.Stdout), errLooks: terminalOf(os.Stderr), parts: map[logStream][]byte{}, attempts: map[uuid.UUID]int32{},
	}
	if len(tasks) > 1 {
		p.names, p.styles = map[uuid.UUID]string{}, map[uuid.UUID]style{}
		widest := 0
		for i := range tasks {
			widest = max(widest, show.Columns(show.Line(tasks[i].Type)))
		}
		for i := range tasks {
			t := &tasks[i]
			p.names[t.ID] = show.ShortID(t.ID) + " " + show.Pad(show.Line(t.Type), widest)
			p.styles[t.ID] = logStyles[i%len(logStyles)]
		}
	}
	return p
}

// nothing tells a person that a task has written nothing, and how it has ended: why a
// program could not be started is in no output.
func (p *logPrinter) nothing(t *schema.Task, follow bool) {
	if p.viewer != nil || p.json || p.names != nil || !p.errLooks.isTerminal() || t.State == schema.Completed || follow {
		return // what is followed may write, or its end is told
	}
	text := "it is " + t.State.String()
	if t.State.Final() {
		text = show.End(t)
	}
	fmt.Fprintf(p.err, "%s: nothing was written; %s\n", p.program, text)
}

// show prints a piece of a stream.
func (p *logPrinter) show(piece logPiece) error {
	switch {
	case p.viewer != nil:
		return p.viewer.print(piece.stream, piece.data)
	case p.json:
		text, encoding := schema.EncodeOutput(piece.data)
		return printJSONLine(os.Stdout, schema.OutputEvent{
			ID: piece.id, Seq: piece.seq, Stream: piece.stream, Offset: piece.offset, Data: text, Encoding: encoding,
		})
	case p.names != nil:
		return p.inLines(piece)
	case p.marks():
		return p.marked(piece)
	}
	to, _ := p.file(piece.stream)
	p.unended = !bytes.HasSuffix(piece.data, []byte{'\n'})
	_, err := to.Write(piece.data)
	return err
}

// file is where a stream goes, and how that looks.
func (p *logPrinter) file(stream schema.Stream) (io.Writer, terminal) {
	if stream == schema.Stdout || p.one {
		return p.out, p.outLooks
	}
	return p.err, p.errLooks
}

// marks reports whether stderr is marked: where both streams go to a terminal.
func (p *logPrinter) marks() bool {
	return !p.one && p.outLooks.isTerminal() && p.errLooks.isTerminal()
}

// marked prints a piece of the output of one task on a terminal.
func (p *logPrinter) marked(piece logPiece) error {
	to, looks := p.file(piece.stream)
	var text []byte
	if p.middle && p.latest != piece.stream {
		text, p.middle = append(text, '\n'), false
	}
	for line := range bytes.Lines(piece.data) {
		begins := !p.middle
		line, ended := bytes.CutSuffix(line, []byte{'\n'})
		if piece.stream != schema.Stdout && !looks.colours && begins {
			text = append(text, streamMark(piece.stream)+" "...)
		}
		shown := string(show.Escape(nil, bytes.TrimSuffix(line, []byte{'\r'})))
		if piece.stream != schema.Stdout {
			shown = looks.paint(red, shown)
		}
		text = append(text, shown...)
		if ended {
			text = append(text, '\n')
		}
		p.middle = !ended
	}
	p.latest = piece.stream
	_, err := rawFile(to).Write(text)
	return err
}

// marksAttempts reports whether a person is told where an attempt begins.
func (p *logPrinter) marksAttempts() bool {
	return p.viewer == nil && !p.json && p.outLooks.isTerminal()
}

// attempt tells a person that another attempt of a task begins.
func (p *logPrinter) attempt(id uuid.UUID, number int32) error {
	if !p.marksAttempts() || p.attempts[id] == number {
		return nil
	}
	p.attempts[id] = number
	if err := p.flush(id); err != nil {
		return err
	}
	text := fmt.Sprintf("--- attempt %d ---", number)
	if p.unended {
		text, p.unended = "\n"+text, false
	}
	if p.names != nil {
		text = p.names[id] + " " + text
	}
	_, err := fmt.Fprintln(rawFile(p.out), p.outLooks.paint(dim, text))
	return err
}

// streamMark is the sign of a stream before a line.
func streamMark(stream schema.Stream) string {
	return [...]string{schema.Stdout: "|", schema.Stderr: "!", schema.Log: ":"}[stream]
}

// rawFile is the file of a writer that makes text safe, for text that is safe already
// and has colours of this program.
func rawFile(w io.Writer) io.Writer {
	if safe, ok := w.(escapingWriter); ok {
		return safe.to
	}
	return w
}

// inLines prints the whole lines of a piece, each behind the name of its task, and
// keeps what is left of the last.
func (p *logPrinter) inLines(piece logPiece) error {
	key := logStream{piece.id, piece.stream}
	data := append(p.parts[key], piece.data...)
	end := bytes.LastIndexByte(data, '\n') + 1
	if len(data)-end > maxPartOfLine {
		end = len(data)
	}
	p.parts[key] = bytes.Clone(data[end:])
	return p.lines(key, data[:end])
}

// lines prints text in lines behind the name of its task.
func (p *logPrinter) lines(key logStream, text []byte) error {
	to, looks := p.file(key.stream)
	var b []byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if looks.isTerminal() {
			line = show.Escape(nil, bytes.TrimSuffix(line, []byte{'\r'}))
		}
		b = append(b, looks.paint(p.styles[key.id], p.names[key.id]+" "+streamMark(key.stream))...)
		b = append(b, ' ')
		if key.stream == schema.Stderr {
			line = []byte(looks.paint(red, string(line)))
		}
		b = append(append(b, line...), '\n')
	}
	_, err := rawFile(to).Write(b)
	return err
}

// flush prints the lines of a task that never ended.
func (p *logPrinter) flush(id uuid.UUID) error {
	if p.viewer != nil {
		return p.viewer.end()
	}
	for s := range schema.StreamNames {
		key := logStream{id, schema.Stream(s)}
		if part := p.parts[key]; len(part) > 0 {
			delete(p.parts, key)
			if err := p.lines(key, part); err != nil {
				return err
			}
		}
	}
	if p.middle {
		p.middle = false
		_, err := fmt.Fprintln(p.out)
		return err
	}
	return nil
}

// end tells a program of the end of a task.
func (p *logPrinter) end(ev *schema.FinishedEvent) error {
	if p.json {
		return printJSONLine(os.Stdout, ev)
	}
	p.failure(&ev.Task)
	return nil
}

// failure tells a person that follows a task how it has ended, where it did not complete:
// that is in no output.
func (p *logPrinter) failure(t *schema.Task) {
	if p.viewer != nil || p.json || !p.errLooks.isTerminal() || t.State == schema.Completed {
		return
	}
	name := ""
	if p.names != nil {
		name = fmt.Sprintf(" (%s)", show.ShortID(t.ID))
	}
	fmt.Fprintf(p.err, "%s: %s%s\n", p.program, show.End(t), name)
}

// lost tells of output that is no longer kept.
func (p *logPrinter) lost(id uuid.UUID, stream schema.Stream, bytes int64) {
	if p.viewer != nil {
		p.viewer.missing(stream, bytes)
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %s of %v of %s are no longer kept\n", p.program, counted(bytes, "byte"), stream, id)
}

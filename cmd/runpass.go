package cmd

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"golang.org/x/term"

	"github.com/jobline/jobline/schema"
)

// passing is what run passes on to a command while that runs.
type passing struct {
	begun   bool
	closes  bool     // nobody else sends input, so its end is told also where there is no source
	source  *os.File // what the command reads, or nil
	pty     bool
	restore func() // takes the terminal out of raw mode, or nil
}

// passOn has stdin passed on to the command as it is read, and makes the input of the
// task for that. Nil is no stdin. With pty the command gets a terminal of the size of
// this process's.
func (f *follower) passOn(input jsontext.Value, stdin *os.File, pty bool) (jsontext.Value, error) {
	f.pass = &passing{source: stdin, pty: pty}
	var members map[string]jsontext.Value
	if json.Unmarshal(input, &members) != nil || members == nil {
		return input, nil // what is wrong with it, the server says better
	}
	if stdin != nil {
		members["openStdin"] = jsontext.Value("true")
	}
	if pty {
		members["pty"] = jsontext.Value("true")
		if columns, rows := windowSize(); columns > 0 && members["rows"] == nil && members["columns"] == nil {
			members["columns"], members["rows"] = jsontext.Value(strconv.Itoa(columns)), jsontext.Value(strconv.Itoa(rows))
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

// windowSize is the size of this process's terminal, or 0 where it has none.
func windowSize() (columns, rows int) {
	for _, file := range []*os.File{os.Stdout, os.Stdin, os.Stderr} {
		if columns, rows = terminalOf(file).size(); columns > 0 {
			break
		}
	}
	return columns, rows
}

// begin passes on what there is, from the start of the command until ctx ends. A
// terminal is in raw mode meanwhile: each key goes to the command.
func (p *passing) begin(ctx context.Context, f *follower, id uuid.UUID) {
	if p == nil || p.begun { // a further attempt reads nothing
		return
	}
	p.begun = true
	if p.pty {
		f.asks.Go(func() { watchWindow(ctx, func() { f.resize(ctx, id) }) })
	}
	if p.source == nil {
		if p.closes {
			_ = f.client.InputWriter(ctx, id).Close() // an error means that the command has ended
		}
		return
	}
	if fd := int(p.source.Fd()); p.pty && term.IsTerminal(fd) {
		if before, err := term.MakeRaw(fd); err == nil {
			p.restore = func() { _ = term.Restore(fd, before) } // there is nobody to tell
		}
	}
	// Stdin may never end, so nobody waits for this copy: it ends with the process.
	go func() {
		w := f.client.InputWriter(ctx, id)
		if _, err := io.Copy(w, p.source); err == nil {
			_ = w.Close() // an error means that the command has ended, or reads nothing more
		}
	}()
}

// end takes the terminal out of raw mode.
func (p *passing) end() {
	if p != nil && p.restore != nil {
		p.restore()
	}
}

// resize tells the command the size of this process's terminal.
func (f *follower) resize(ctx context.Context, id uuid.UUID) {
	if columns, rows := windowSize(); columns > 0 {
		// An error means that the command has ended.
		_ = f.client.Resize(ctx, schema.ResizeParams{ID: id, Rows: uint16(rows), Columns: uint16(columns)})
	}
}

// passThrough has results shown as they are, also on a terminal, and messages in lines
// that begin at the left in raw mode, too.
func (s *screen) passThrough() {
	s.out = os.Stdout
	if terminalOf(os.Stderr).isTerminal() {
		s.err = escapingWriter{returning{os.Stderr}}
	}
}

// returning writes a carriage return before each newline.
type returning struct{ to io.Writer }

func (r returning) Write(p []byte) (int, error) {
	if _, err := r.to.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benchLimit is how many tasks run at once in what is measured.
var benchLimit = runtime.NumCPU()

// benchBuffer is the size of a write and of a read, in bytes.
const benchBuffer = 256 << 10

// peer is a child process that is spoken to in raw lines: no client that has
// work of its own stands in the way.
type peer struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

// startPeer starts a program without the flags of this one's environment.
func startPeer(ctx context.Context, program string, args ...string) (p *peer, err error) {
	p = &peer{cmd: exec.CommandContext(ctx, program, args...)}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "JOBLINE_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReaderSize(out, benchBuffer)
	return p, p.cmd.Start()
}

// startEcho starts an Echo that answers with lines of the given sizes.
func (b *bench) startEcho(ctx context.Context, sizes ...int) (*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"bench-echo"}
	for _, size := range sizes {
		args = append(args, strconv.Itoa(size))
	}
	return startPeer(ctx, self, args...)
}

// startServer starts a server with the default limits but for the flags given.
func (b *bench) startServer(ctx context.Context, flags ...string) (*peer, error) {
	return startPeer(ctx, b.program, append([]string{"serve", "--log-level=error", "--limit=" + strconv.Itoa(benchLimit)}, flags...)...)
}

// withServer lets f have a server with the flags given, in memory or with a
// store, and the directory of the store.
func (b *bench) withServer(ctx context.Context, store bool, flags []string, f func(server *peer, dir string) error) (err error) {
	var dir string
	if store {
		if dir, err = os.MkdirTemp(b.storeDir, "jobline-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if dir, err = filepath.EvalSymlinks(dir); err != nil { // Join takes ".." behind a link for the parent by name
			return err
		}
		flags = append(slices.Clone(flags), "--store="+filepath.Join(dir, "tasks.db"))
	}
	server, err := b.startServer(ctx, flags...)
	if err != nil {
		return err
	}
	defer server.end()
	return f(server, dir)
}

// end kills the process: what was measured is known.
func (p *peer) end() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	_ = p.cmd.Wait()         // killed
}

// line reads a line, which is good until the next call.
func (p *peer) line() ([]byte, error) {
	line, err := p.lines.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w", p.cmd.Path, err)
	}
	return line, nil
}

// ask sends a line and reads the next.
func (p *peer) ask(line []byte) ([]byte, error) {
	if _, err := p.in.Write(line); err != nil {
		return nil, err
	}
	return p.line()
}

// runOne submits one task and awaits its reply and its end.
func (p *peer) runOne(submit []byte) error {
	if _, err := p.in.Write(submit); err != nil {
		return err
	}
	return p.awaitBoth(1, 1)
}

var (
	replyPrefix    = []byte(`{"jsonrpc":"2.0","id":`)
	finishedPrefix = []byte(`{"jsonrpc":"2.0","method":"task/finished"`)
	errorMember    = []byte(`,"error":`)
)

// awaitBoth reads until so many replies and so many task/finished have come.
// A line is told by how it begins; an error is looked for right after the id.
func (p *peer) awaitBoth(replies, finished int) error {
	for replies > 0 || finished > 0 {
		line, err := p.line()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, finishedPrefix):
			finished--
		case bytes.HasPrefix(line, replyPrefix):
			if replies--; bytes.Contains(line[:min(len(line), len(replyPrefix)+24)], errorMember) {
				return refusal(line)
			}
		}
	}
	return nil
}

// refusal makes an error of an unwanted line.
func refusal(line []byte) error {
	return fmt.Errorf("the server answered %.300s", bytes.TrimSpace(line))
}

// pour writes bytes and awaits what comes of them, and answers how long both
// took together.
func (p *peer) pour(data []byte, await func() error) (time.Duration, error) {
	written := make(chan error, 1)
	began := time.Now()
	go func() {
		for len(data) > 0 {
			n := min(len(data), benchBuffer)
			if _, err := p.in.Write(data[:n]); err != nil {
				written <- err
				return
			}
			data = data[n:]
		}
		written <- nil
	}()
	err := await()
	took := time.Since(began)
	if err != nil {
		p.end() // so that the writer ends
	}
	return took, errors.Join(err, <-written)
}

// submitLines are so many submits, with ids from first on.
func submitLines(first, n int, params string) []byte {
	var b []byte
	for i := range n {
		b = append(b, `{"jsonrpc":"2.0","id":`...)
		b = strconv.AppendInt(b, int64(first+i), 10)
		b = append(b, `,"method":"submit","params":`...)
		b = append(b, params...)
		b = append(b, "}\n"...)
	}
	return b
}

// noopParams asks for a task of which only the end is told.
const noopParams = `{"type":"noop","events":["finished"]}`

// Echo is what the server is measured against: lines in and lines out, nothing
// done with them. What it answers is the line itself, or lines of the given
// sizes that begin with it, so that the pipes and the client have as much to do
// as with a server.
func Echo(from io.Reader, to io.Writer, sizes ...int) error {
	answers := make([][]byte, len(sizes))
	for i, size := range sizes {
		answers[i] = append(bytes.Repeat([]byte{'.'}, size-1), '\n')
	}
	r, w := bufio.NewReaderSize(from, benchBuffer), bufio.NewWriterSize(to, benchBuffer)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if len(answers) == 0 {
			_, err = w.Write(line)
		}
		for _, answer := range answers {
			copy(answer[:len(answer)-1], line[:len(line)-1])
			_, err = w.Write(answer)
		}
		if err == nil && r.Buffered() == 0 {
			err = w.Flush()
		}
		if err != nil {
			return err
		}
	}
}

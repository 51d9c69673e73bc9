package exec

import (
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jobline/jobline/executor"
)

const (
	// copyBytes is how much of a command's output is read at once: as much as one event
	// has.
	copyBytes = executor.MaxOutputPiece
	// maxTail bounds the end of stderr that an error carries, in bytes.
	maxTail = 4 << 10
	// pipeDelay is how long a command's pipes may stay open after its end. Then the
	// processes that hold them are killed, and after another pipeDelay the pipes
	// are closed.
	pipeDelay = 250 * time.Millisecond
	// pipeLeast is how long writes must have waited for readers to prolong it.
	pipeLeast = 10 * time.Millisecond
)

// streams are our side of a command's stdin, stdout and stderr.
type streams struct {
	child    [3]*os.File // the command's ends
	kept     *os.File    // the one among them that closeChild leaves open, or nil
	stdin    *os.File    // our end; nil where the command has a file
	text     string
	more     *executor.InputReader // what goes into stdin behind the text, or nil
	terminal *terminal             // in place of the pipes, or nil
	out      []pipe                // for stdout and stderr, or one for both
	tail     *tail                 // the end of stderr

	ready    pipePoller
	pending  atomic.Int32  // pipes that are still copied
	finished chan struct{} // closed when there are none
	writes   stopwatch     // runs while output waits for the task's readers
}

// pipe connects a pipe of the command with a writer.
type pipe struct {
	from *readEnd // nil until it is open
	to   io.Writer
}

// stdinSource is what a command reads: the text and what comes after it, or the
// file where there is neither.
type stdinSource struct {
	file *os.File
	text string
	more *executor.InputReader
}

// openStreams makes the pipes of a command. Without a writer for stderr there is one
// pipe for stdout and stderr, in which the system keeps the order of all writes. Where
// it fails it leaves no pipe open.
func openStreams(stdin stdinSource, stdout, stderr io.Writer) (*streams, error) {
	s := &streams{text: stdin.text, more: stdin.more, finished: make(chan struct{}), tail: &tail{to: stderr}}
	if stderr == nil {
		s.tail.to = stdout
	} else {
		s.out = append(s.out, pipe{to: stdout})
	}
	s.out = append(s.out, pipe{to: s.tail})
	if err := s.open(stdin.file); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *streams) open(stdin *os.File) (err error) {
	s.pending.Store(int32(len(s.out)))
	if s.text == "" && s.more == nil {
		s.kept, s.child[0] = stdin, stdin
	} else if s.child[0], s.stdin, err = os.Pipe(); err != nil {
		return err
	} else {
		s.pending.Add(1)
	}
	for i := range s.out {
		if s.out[i].from, s.child[i+1], err = openReadEnd(); err != nil {
			return err
		}
	}
	if len(s.out) == 1 {
		s.child[2] = s.child[1]
	}
	s.ready.open(s.out)
	return nil
}

// close closes both ends of every pipe.
func (s *streams) close() {
	s.closeChild()
	s.closeOwn()
}

// closeChild closes the command's ends. The command has its own copies.
func (s *streams) closeChild() {
	for i, f := range s.child {
		if f != nil && f != s.kept {
			f.Close()
		}
		s.child[i] = nil
	}
}

func (s *streams) closeOwn() {
	s.closeStdin()
	s.terminal.release()
	s.ready.close()
	for _, p := range s.out {
		if p.from != nil {
			p.from.close()
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// copyInBackground copies what has not been read yet, at the latest until drain
// has returned.
func (s *streams) copyInBackground() {
	s.ready.close()
	for _, p := range s.out {
		if from := p.from.handOver(); from != nil {
			go s.copy(from, p.to)
		}
	}
}

// copy reads to the end even where to fails: a command whose pipe is full would
// never end.
func (s *streams) copy(from *os.File, to io.Writer) {
	defer s.ended()
	defer from.Close()
	buffer := buffers.Get().(*[copyBytes]byte)
	defer buffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			s.writes.start()
			_, _ = to.Write(buffer[:n])
			s.writes.stop()
		}
		if err != nil {
			return
		}
	}
}

func (s *streams) ended() {
	if s.pending.Add(-1) == 0 {
		close(s.finished)
	}
}

// drain waits until all output is read. Where a process that has outlived the
// command holds the pipes, it calls kill. It reports whether they are held even
// after that.
func (s *streams) drain(kill func()) (held bool) {
	s.closeStdin() // only other processes can read it now
	s.terminal.release()
	if s.wait() {
		return false
	}
	kill()
	if s.wait() {
		return false
	}
	s.closeOwn()
	<-s.finished
	return true
}

// wait waits for the end of the pipes, for pipeDelay. Time in which output
// waits for the task's readers does not count.
func (s *streams) wait() bool {
	select {
	case <-s.finished:
		return true // the usual case, which needs no timer
	default:
	}
	before := s.writes.ran()
	timer := time.NewTimer(pipeDelay)
	defer timer.Stop()
	for {
		select {
		case <-s.finished:
			return true
		case <-timer.C:
			now := s.writes.ran()
			if now-before < pipeLeast {
				return false
			}
			timer.Reset(min(now-before, pipeDelay))
			before = now
		}
	}
}

// stopwatch measures for how long at least one of several goroutines is between
// start and stop. The zero value is ready to use.
type stopwatch struct {
	mu      sync.Mutex
	running int
	since   time.Time // when the first of them began
	total   time.Duration
}

func (w *stopwatch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running++; w.running == 1 {
		w.since = time.Now()
	}
}

func (w *stopwatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running--; w.running == 0 {
		w.total += time.Since(w.since)
	}
}

func (w *stopwatch) ran() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running > 0 {
		return w.total + time.Since(w.since)
	}
	return w.total
}

// stderrTail returns the end of what was written to stderr. Call it after
// drain.
func (s *streams) stderrTail() string { return s.tail.text() }

// tail passes on what is written to it and keeps the last maxTail bytes.
type tail struct {
	to   io.Writer
	kept []byte
	cut  bool // earlier bytes were dropped, so kept may begin within a character
}

func (t *tail) Write(p []byte) (int, error) {
	last := p[max(0, len(p)-maxTail):]
	t.cut = t.cut || len(t.kept)+len(p) > maxTail
	if len(t.kept)+len(last) > 2*maxTail { // rarely, so that a byte costs O(1)
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-maxTail:]...)
	}
	t.kept = append(t.kept, last...)
	return t.to.Write(p)
}

// text returns what was kept as valid UTF-8 of at most maxTail bytes.
func (t *tail) text() string {
	kept := t.kept[max(0, len(t.kept)-maxTail):]
	for i := 0; t.cut && i < utf8.UTFMax && len(kept) > 0 && !utf8.RuneStart(kept[0]); i++ {
		kept = kept[1:]
	}
	text := strings.ToValidUTF8(string(kept), "\uFFFD")
	for len(text) > maxTail { // a replacement is longer than what it replaces
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

package cmd

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/jobline/jobline/schema"
)

// How progress is shown.
const (
	progressLineEvery = time.Second // where it is not a bar
	barCells          = 24
	defaultColumns    = 80
	clearLine         = "\r\x1b[K"
)

// screen shows a running task: on a terminal with a bar at the bottom, else in
// plain lines. It may be used from many goroutines.
type screen struct {
	program string
	name    string // of the task's type
	quiet   bool   // no progress
	out     io.Writer
	err     io.Writer  // for text, made safe where it goes to a terminal
	columns func() int // 0 is no terminal: no bar
	// together: stdout and stderr are the same file, as after 2>&1.
	together bool

	mu      sync.Mutex
	drawn   bool      // the bar is on the terminal
	midLine bool      // the last output did not end its line
	shown   time.Time // when progress was last shown in a plain line
	raw     io.Writer // the terminal, for the bar
}

func newScreen(program, name string, quiet bool) *screen {
	s := &screen{program: program, name: name, quiet: quiet, out: safe(os.Stdout), err: safe(os.Stderr), raw: os.Stderr}
	s.together = sameFile(os.Stdout, os.Stderr)
	s.columns = func() int { return 0 }
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		s.columns = func() int {
			if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
				return columns
			}
			return defaultColumns
		}
	}
	return s
}

// Write shows text of a program on stderr: a stream of the task, or the log
// of the server.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearBar()
	if len(p) > 0 {
		s.midLine = p[len(p)-1] != '\n'
	}
	return s.err.Write(p)
}

// result shows bytes on stdout.
func (s *screen) result(p []byte) error {
	s.mu.Lock()
	s.clearBar()
	if s.together && len(p) > 0 {
		s.midLine = p[len(p)-1] != '\n'
	}
	s.mu.Unlock() // a reader of stdout that is slow holds up nothing else
	_, err := s.out.Write(p)
	return err
}

// say shows a line of our own.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearBar()
	if s.midLine {
		fmt.Fprintln(s.err)
	}
	s.midLine = false
	fmt.Fprintf(s.err, "%s: %s\n", s.program, fmt.Sprintf(format, args...))
}

// progress shows how far the task has come.
func (s *screen) progress(p schema.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet || s.midLine {
		return
	}
	if columns := s.columns(); columns > 0 {
		fmt.Fprint(s.raw, clearLine+s.bar(p, columns-1))
		s.drawn = true
		return
	}
	if now := time.Now(); s.shown.IsZero() || now.Sub(s.shown) >= progressLineEvery {
		s.shown = now
		fmt.Fprintln(s.err, s.text(p))
	}
}

// done removes the bar.
func (s *screen) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearBar()
}

func (s *screen) clearBar() {
	if s.drawn {
		fmt.Fprint(s.raw, clearLine)
	}
	s.drawn = false
}

// text is a progress in words, in one line.
func (s *screen) text(p schema.Progress) string {
	words := []string{s.name + ":"}
	if share, known := shareOf(p); known {
		words = append(words, fmt.Sprintf("%.0f%%", math.Floor(share*100)), fmt.Sprintf("%g/%g", p.Value, p.Total))
	} else {
		words = append(words, fmt.Sprintf("%g", p.Value))
	}
	for _, w := range []string{p.Unit, p.Message} {
		if w != "" {
			words = append(words, strings.Join(strings.Fields(w), " "))
		}
	}
	return strings.Join(words, " ")
}

// bar is a progress in one line of at most so many columns.
func (s *screen) bar(p schema.Progress, columns int) string {
	line := s.text(p)
	if share, known := shareOf(p); known {
		full := int(share * barCells)
		line = "[" + strings.Repeat("#", full) + strings.Repeat(".", barCells-full) + "] " + line
	}
	line = string(neutralise(nil, []byte(line)))
	if utf8.RuneCountInString(line) > columns {
		line = string([]rune(line)[:columns])
	}
	return line
}

func shareOf(p schema.Progress) (share float64, known bool) {
	if p.Total <= 0 {
		return 0, false
	}
	return min(max(p.Value/p.Total, 0), 1), true
}

// safe is a file to write text to that is not ours: on a terminal nothing in
// it can move the cursor, set the clipboard or fake other text. Elsewhere the
// bytes stay as they are.
func safe(f *os.File) io.Writer {
	if term.IsTerminal(int(f.Fd())) {
		return neutral{f}
	}
	return f
}

type neutral struct{ to io.Writer }

func (n neutral) Write(p []byte) (int, error) {
	if _, err := n.to.Write(neutralise(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// neutralise appends text with everything made visible that a terminal would
// obey: control characters but newline and tab, what reverses the direction
// of text, and bytes that are not UTF-8 (an old terminal takes 0x9b for ESC [).
func neutralise(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t':
			b = append(b, byte(r))
		case r == '\r' && bytes.HasPrefix(text[1:], []byte("\n")):
		case r < ' ' || r == 0x7f: // as people write them
			b = append(b, '^', byte(r)^0x40)
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case obeyed(r):
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = append(b, text[:n]...)
		}
		text = text[n:]
	}
	return b
}

// obeyed tells the characters beyond the controls of ASCII that a terminal would
// obey, and DEL.
func obeyed(r rune) bool { return r >= 0x7f && r < 0xa0 || bidirectional(r) }

// bidirectional tells the marks that reorder text, and the separators that
// some take for a newline.
func bidirectional(r rune) bool {
	return r == 0x061c || r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

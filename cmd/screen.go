package cmd

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// How progress is shown.
const (
	progressLineEvery = time.Second // where it is not a bar
	barCells          = 24
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
	bottom  block     // the bar
	midLine bool      // the last output did not end its line
	shown   time.Time // when progress was last shown in a plain line
}

func newScreen(program, name string, quiet bool) *screen {
	t := terminalOf(os.Stderr)
	s := &screen{program: program, name: name, quiet: quiet, out: safe(os.Stdout), err: safe(os.Stderr), bottom: block{to: os.Stderr}}
	s.together = sameFile(os.Stdout, os.Stderr)
	s.columns = func() int { return 0 }
	if t.moves {
		s.columns = t.columns
	}
	return s
}

// Write shows text of a program on stderr: a stream of the task, or the log
// of the server.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bottom.clear()
	if len(p) > 0 {
		s.midLine = p[len(p)-1] != '\n'
	}
	return s.err.Write(p)
}

// result shows bytes on stdout.
func (s *screen) result(p []byte) error {
	s.mu.Lock()
	s.bottom.clear()
	if s.together && len(p) > 0 {
		s.midLine = p[len(p)-1] != '\n'
	}
	s.mu.Unlock() // a reader of stdout that is slow holds up nothing else
	_, err := s.out.Write(p)
	return err
}

// say shows a message of this program.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bottom.clear()
	if s.midLine {
		fmt.Fprintln(s.err)
	}
	s.midLine = false
	fmt.Fprintf(s.err, "%s: %s\n", s.program, fmt.Sprintf(format, args...))
}

// progress shows the progress of the task.
func (s *screen) progress(p schema.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet || s.midLine {
		return
	}
	if columns := s.columns(); columns > 0 {
		s.bottom.draw([]string{s.bar(p, columns-1)})
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
	s.bottom.clear()
}

// text is a progress as one line of text.
func (s *screen) text(p schema.Progress) string { return s.name + ": " + progressText(p) }

// progressText is a progress in words.
func progressText(p schema.Progress) string {
	var words []string
	if share, known := show.Share(p); known {
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
	if share, known := show.Share(p); known {
		line = barOf(share, barCells) + " " + line
	}
	return show.Cut(string(show.Escape(nil, []byte(line))), columns)
}

// barOf is a bar of so many cells.
func barOf(share float64, cells int) string {
	full := int(share * float64(cells))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]"
}

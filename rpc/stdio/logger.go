package stdio

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of logging.
const (
	logQueue     = 1024 // records that wait to be written
	logPerWindow = 10   // records with the same text in a logWindow
	logWindow    = time.Second
	logTexts     = 1024 // texts that are counted apart in a logWindow
	// closeTimeout is how long the end of the program waits for a stderr that is not read.
	closeTimeout = 250 * time.Millisecond
)

// LogFormat makes the handler that writes the lines of a log.
type LogFormat func(io.Writer, *slog.HandlerOptions) slog.Handler

// logger writes records on a goroutine of its own, so that a full stderr delays no caller: records that do not
// fit into the queue are dropped and counted.
type logger struct {
	queue   chan logEntry
	dropped atomic.Int64
	closing chan struct{}
	close   sync.Once
	over    chan struct{}

	// Of the goroutine alone:
	base   slog.Handler
	window <-chan time.Time // ends the window; nil where none has begun
	counts map[string]*logCount
}

type logEntry struct {
	handler slog.Handler
	record  slog.Record
}

// logCount counts the records with one text in a window.
type logCount struct {
	n    int
	last logEntry
}

// NewLogger makes a logger that writes to w, of which the same text comes at
// most ten times a second. It never waits for w. What is left is written when
// the closer is closed.
func NewLogger(w io.Writer, level slog.Level, format LogFormat) (*slog.Logger, io.Closer) {
	l := &logger{
		queue: make(chan logEntry, logQueue), closing: make(chan struct{}), over: make(chan struct{}),
		base: format(w, &slog.HandlerOptions{Level: level}), counts: map[string]*logCount{},
	}
	go l.run()
	return slog.New(&logHandler{l.base, l}), l
}

// Close waits until all is written, but not longer than closeTimeout: then the
// goroutine ends with the process. It never fails.
func (l *logger) Close() error {
	l.close.Do(func() { close(l.closing) })
	select {
	case <-l.over:
	case <-time.After(closeTimeout):
	}
	return nil
}

func (l *logger) run() {
	defer close(l.over)
	for {
		select {
		case e := <-l.queue:
			l.write(e)
		case <-l.window:
			l.endWindow()
		case <-l.closing:
			l.rest()
			return
		}
	}
}

// rest writes what is in the queue at the end.
func (l *logger) rest() {
	for {
		select {
		case e := <-l.queue:
			l.write(e)
		default:
			l.endWindow()
			return
		}
	}
}

func (l *logger) write(e logEntry) {
	l.reportDropped()
	if l.window == nil {
		l.window = time.After(logWindow)
	}
	text := e.record.Message
	if _, known := l.counts[text]; !known && len(l.counts) >= logTexts {
		text = ""
	}
	c := l.counts[text]
	if c == nil {
		c = &logCount{}
		l.counts[text] = c
	}
	c.n, c.last = c.n+1, e
	if c.n <= logPerWindow {
		e.handle()
	}
}

// handle writes a record. Where stderr is closed there is nobody to tell.
func (e logEntry) handle() { _ = e.handler.Handle(context.Background(), e.record) }

// endWindow says how many records were left out.
func (l *logger) endWindow() {
	l.reportDropped()
	for _, c := range l.counts {
		if more := c.n - logPerWindow; more > 0 {
			text := fmt.Sprintf("%s … %d more", c.last.record.Message, more)
			logEntry{c.last.handler, slog.NewRecord(time.Now(), c.last.record.Level, text, 0)}.handle()
		}
	}
	clear(l.counts)
	l.window = nil
}

func (l *logger) reportDropped() {
	if n := l.dropped.Swap(0); n > 0 {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were dropped: stderr is not read fast enough", 0)
		r.AddAttrs(slog.Int64("dropped", n))
		logEntry{l.base, r}.handle()
	}
}

// logHandler hands records to the logger's goroutine.
type logHandler struct {
	slog.Handler
	logger *logger
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	select {
	case h.logger.queue <- logEntry{h.Handler, r.Clone()}:
	default:
		h.logger.dropped.Add(1)
	}
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs), h.logger}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.Handler.WithGroup(name), h.logger}
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The most tasks that a client has under way while it asks for the status of one.
const (
	noopWindow    = 256
	commandWindow = 16
)

// benchStatus measures status requests among tasks that keep the server busy.
func benchStatus(ctx context.Context, b *bench) error {
	command, err := commandParams()
	if err != nil {
		return err
	}
	noops, commands := b.share(10, 1000), b.share(1000, 50)
	for _, l := range []struct {
		among  string
		params string
		window int
		tasks  int
		store  bool
	}{
		{"noop tasks", noopParams, noopWindow, noops, false},
		{"durable noop tasks", noopParams, noopWindow, noops, true},
		{"commands", command, commandWindow, commands, false},
		{"commands with a store", command, commandWindow, commands, true},
	} {
		name := fmt.Sprintf("status among %d %s", l.window, l.among)
		if err := b.statusAmong(ctx, name, l.store, load{params: l.params, window: l.window, left: l.tasks}); err != nil {
			return err
		}
	}
	return nil
}

// statusAmong measures status requests for a task that has ended, among the tasks of a load.
func (b *bench) statusAmong(ctx context.Context, name string, store bool, l load) error {
	return b.withServer(ctx, store, nil, func(server *peer, _ string) error {
		const id = "00000000-0000-7000-8000-000000000001"
		known := submitLines(0, 1, `{"type":"noop","id":"`+id+`","events":["finished"]}`)
		if _, err := server.pour(known, func() error { return server.awaitBoth(1, 1) }); err != nil {
			return err
		}
		l.server = server
		l.status = []byte(`{"jsonrpc":"2.0","id":"s","method":"status","params":{"id":"` + id + `"}}` + "\n")
		if err := l.run(); err != nil {
			return err
		}
		b.recordLatency(name, l.samples)
		return nil
	})
}

// load keeps at most window tasks under way until all of them have ended, and
// one status request, where there is one.
type load struct {
	server  *peer
	params  string // of each submit
	window  int
	left    int    // tasks to submit
	status  []byte // a request line, or nil
	asked   time.Time
	samples []int64 // how long the replies to status took, in ns
}

var statusReply = []byte(`{"jsonrpc":"2.0","id":"s"`)

func (l *load) run() error {
	first := min(l.window, l.left)
	if err := l.submit(first); err != nil {
		return err
	}
	if err := l.ask(); err != nil {
		return err
	}
	for running := first; running > 0; {
		line, err := l.server.line()
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, statusReply):
			l.samples = append(l.samples, int64(time.Since(l.asked)))
			if err := l.ask(); err != nil {
				return err
			}
		case bytes.HasPrefix(line, finishedPrefix):
			running--
			if running <= l.window/2 && l.left > 0 { // some at a time, as a pipe delivers them
				n := min(l.window-running, l.left)
				if running += n; l.submit(n) != nil {
					return errors.New("the server reads no more")
				}
			}
		case bytes.Contains(line[:min(len(line), 60)], errorMember):
			return refusal(line)
		}
	}
	return nil
}

func (l *load) submit(n int) error {
	l.left -= n
	_, err := l.server.in.Write(submitLines(1, n, l.params))
	return err
}

func (l *load) ask() error {
	if l.status == nil {
		return nil
	}
	l.asked = time.Now()
	_, err := l.server.in.Write(l.status)
	return err
}

// commandParams asks for the command true, of which only the end is told.
func commandParams() (string, error) {
	program, err := commandPath()
	return `{"type":"exec","input":{"argv":[` + strconv.Quote(program) + `]},"events":["finished"]}`, err
}

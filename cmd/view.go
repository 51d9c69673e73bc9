package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/schema"
)

const (
	// viewEvery is the least time between two looks at the tasks.
	viewEvery = 100 * time.Millisecond
	// viewTick is the time after which the tasks are looked at where no event has come: none tells
	// of a task that is queued.
	viewTick = time.Second
	// longestViewPause is the longest time between two attempts to start a server.
	longestViewPause = 30 * time.Second
	// mostViewed bounds --limit.
	mostViewed = 1000
)

// viewOptions are the flags of view.
type viewOptions struct {
	program  *Program
	target   targetOptions
	name     string
	limit    int
	raw      bool
	resume   bool
	bounds   viewBounds
	olderKey string
}

// viewBounds bound an output that a program has open.
type viewBounds struct {
	tail         int // of each stream, in bytes
	lines, bytes int // of what the program has
}

func (p *Program) viewCommand() *cobra.Command {
	o := &viewOptions{program: p}
	c := &cobra.Command{
		Use:   "view",
		Short: "Tell a program, such as an editor, of all tasks and their output",
		Long: "View is for a program that shows tasks to a person, such as a plug-in of an editor: one process carries all.\n" +
			"It writes lines of JSON, each an object with one member: rows of a list, output of the tasks that are open, and what\n" +
			"to tell the person. It takes commands, one a line, and ends with its stdin. docs/daemon.md describes them.\n" +
			"It starts a server where none runs, and the next one where a server was killed. Where a server was told to shut down\n" +
			"it waits for the next one.",
		Example: p.examples("view --name Unicorn"),
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	o.target.scopeFlags(c)
	o.target.startFlag(c)
	f := c.Flags()
	f.Var(viewerName(&o.name), "name", "the name of the program: what its tasks that had not ended are kept by for its next start")
	f.Var(countTo(&o.limit, defaultListed, 1, mostViewed), "limit", "the most rows of a kind: the newest tasks, and those that run")
	f.BoolVar(&o.raw, "raw", false, "give output as text with colours, as logs --viewer does, in place of lines and parts with a look")
	f.BoolVar(&o.resume, "resume", false, "end at once where no tasks are left of an earlier start of the program")
	f.Var(countTo(&o.bounds.tail, 256<<10, 0, mostViewerTail), "tail-bytes", "only so much of what each stream has, the end")
	f.Var(countTo(&o.bounds.lines, 100_000, 1, mostTail), "most-lines", "the most lines of an output that are shown at once; the oldest go")
	f.Var(countTo(&o.bounds.bytes, 10<<20, 1, mostViewerTail), "most-bytes", "the most bytes of an output that are shown at once; the oldest lines go")
	f.StringVar(&o.olderKey, "older-key", "", "the key of the program that shows more of an output, to be named in it")
	for _, flag := range []string{"name", "limit", "tail-bytes", "most-lines", "most-bytes", "older-key"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
	return c
}

// viewer tells a program of the tasks of a server.
type viewer struct {
	options *viewOptions
	scope   Scope // of followTasks alone
	lines   viewLines
	mine    *ownTasks
	outputs *viewedOutputs
	told    map[uuid.UUID]string // the rows that the program has; nil before the first, and of followTasks alone
	changed chan struct{}        // has room for one: something may have changed
	ticks   atomic.Bool          // the times of the rows are kept up to date
	wanted  atomic.Bool          // the person wants a server
	asked   atomic.Bool          // the program wants a line with rows, also without a change
}

// viewLines writes lines of JSON. It can be used by several goroutines.
type viewLines struct{ mu sync.Mutex }

// viewLine is a line that view writes. Exactly one member is set.
type viewLine struct {
	Rows      *viewRows           `json:"rows,omitzero"`
	Ended     *viewRow            `json:"ended,omitzero"`
	Away      *viewAway           `json:"away,omitzero"`
	Say       *viewSay            `json:"say,omitzero"`
	Connected *bool               `json:"connected,omitzero"`
	Output    *viewOutput         `json:"output,omitzero"`
	Looks     map[string]viewLook `json:"looks,omitzero"`
}

// viewSay is a text for the person. Level is error or info.
type viewSay struct {
	Text  string `json:"text"`
	Level string `json:"level"`
}

func (l *viewLines) write(line viewLine) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return printJSONLine(os.Stdout, line)
}

// run tells the program of the tasks until stdin or the command has ended.
func (o *viewOptions) run(c *cobra.Command) error {
	if err := o.target.check(); err != nil {
		return err
	}
	scope, err := o.program.scope(&o.target)
	if err != nil {
		return err
	}
	mine := newOwnTasks(scope.State, o.name)
	mine.adopt()
	defer mine.close()
	if o.resume && mine.empty() {
		return nil
	}
	ctx, release := untilSignal(c.Context())
	defer release()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	v := &viewer{options: o, scope: scope, mine: mine, changed: make(chan struct{}, 1)}
	v.outputs = newViewedOutputs(v)
	go func() { // stdin may never end, so this is not waited for: it ends with the process
		v.readCommands(ctx)
		stop()
	}()
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return v.followTasks(running) })
	g.Go(func() error { return v.outputs.run(running) })
	err = g.Wait()
	v.outputs.closeAll()
	interrupted, ok := errors.AsType[signalError](context.Cause(ctx))
	switch {
	case ok:
		return interrupted.code()
	case errors.Is(err, context.Canceled):
		return nil
	}
	return err
}

// readCommands obeys the lines of stdin.
func (v *viewer) readCommands(ctx context.Context) {
	lines := bufio.NewScanner(os.Stdin)
	defer func() {
		if err := lines.Err(); err != nil { // as of a line that is too long
			_ = v.lines.write(viewLine{Say: &viewSay{fmt.Sprintf("view: stdin: %v; start view again", err), "error"}})
		}
	}()
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if err := v.obey(ctx, words[0], words[1:]); err != nil {
			_ = v.lines.write(viewLine{Say: &viewSay{err.Error(), "error"}}) // if the program no longer reads, its stdin has ended
		}
	}
}

func (v *viewer) obey(ctx context.Context, command string, words []string) error {
	switch {
	case command == "list" && !slices.Equal(words, []string{"on"}) && !slices.Equal(words, []string{"off"}):
		return fmt.Errorf("view: list %q: want list on or list off", strings.Join(words, " "))
	case command == "list":
		v.ticks.Store(words[0] == "on")
		v.asked.Store(true)
		v.wanted.Store(true)
		v.look()
		return nil
	case !slices.Contains([]string{"open", "close", "mine"}, command):
		return fmt.Errorf("view: there is no command %q; there are open, close, mine, list on and list off", command)
	case len(words) == 0:
		return fmt.Errorf("view: the line %q lacks a word", command)
	}
	id, err := uuid.Parse(words[0])
	if err != nil {
		return fmt.Errorf("view: %s %q: want a whole id", command, words[0])
	}
	switch command {
	case "open":
		bounds := v.options.bounds
		for i, bound := range []*int{&bounds.tail, &bounds.lines, &bounds.bytes} {
			if i+1 >= len(words) {
				break
			}
			if *bound, err = strconv.Atoi(words[i+1]); err != nil || *bound < 0 || *bound > mostViewerTail {
				return fmt.Errorf("view: open %s %q: want numbers, up to %d", id, words[i+1], mostViewerTail)
			}
		}
		return v.outputs.open(ctx, id, bounds)
	case "close":
		v.outputs.close(id)
	case "mine":
		v.wanted.Store(true)
		v.look()
		return v.mine.add(id)
	}
	return nil
}

// look has the tasks looked at soon.
func (v *viewer) look() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// followTasks tells the program of the tasks, on one connection after the other, until ctx ends. It
// answers an error where there is no first connection.
func (v *viewer) followTasks(ctx context.Context) error {
	first, start, pause := true, !v.options.target.noStart, time.Second
	for {
		start = start || v.wanted.Swap(false) && !v.options.target.noStart
		c, server, err := v.options.program.introduce(ctx, &v.scope, start, schema.ProtocolVersion)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			if hint := v.options.program.olderServer(server.ServerInfo.Version); hint != "" && first {
				err = v.lines.write(viewLine{Say: &viewSay{hint, "info"}})
			}
			first, pause = false, time.Second
			if err == nil {
				start, err = v.connected(ctx, &connection{c, v.options.program, see(v.scope)})
				v.wanted.Store(false) // what the person has wanted before was done
			}
			_ = c.Close() // the first error says more
			if err != nil {
				return err
			}
		case first:
			return v.options.program.answerOf(err)
		}
		rest := viewerPause // also where a server ends each connection at once
		if err != nil && start && !errors.Is(err, socket.ErrNobodyListens) {
			rest, pause = pause, min(2*pause, longestViewPause)
		}
		if !sleep(ctx, rest) {
			return context.Cause(ctx)
		}
	}
}

// connected tells the program of the tasks until a connection ends. It answers whether the next
// server is to be started, or an error where the program is to end.
func (v *viewer) connected(ctx context.Context, c *connection) (start bool, err error) {
	yes, no := true, false
	if err := v.lines.write(viewLine{Connected: &yes}); err != nil {
		return false, err
	}
	var ending atomic.Bool
	err = v.watch(ctx, c.Client, &ending)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if _, broken := errors.AsType[*os.PathError](err); broken { // stdout
		return false, err
	}
	v.mine.leave()
	v.wanted.Store(false) // was for the server that has ended
	start = !ending.Load() && !v.options.target.noStart
	next := "connecting again"
	if !start {
		next = "the next command starts another"
	}
	why := "the server on " + c.server.scope.Socket + " has ended this connection"
	if c.server.awaitEnd(ctx) {
		why = "the server has ended: " + c.server.whyEnded(ctx)
	}
	if err := v.lines.write(viewLine{Say: &viewSay{why + "; " + next, "error"}}); err != nil {
		return false, err
	}
	return start, v.lines.write(viewLine{Connected: &no})
}

// watch looks at the tasks, at events and from time to time, until the connection ends.
func (v *viewer) watch(ctx context.Context, c *client.Client, ending *atomic.Bool) error {
	events := []string{schema.EventStarted, schema.EventProgress, schema.EventRetrying, schema.EventUpdated, schema.EventFinished}
	if _, err := c.Subscribe(ctx, schema.SubscribeParams{Events: events}); err != nil {
		return err
	}
	looked := &viewedTasks{viewer: v}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for ev := range c.Events(ctx) {
			if ev.ShuttingDown != nil {
				ending.Store(true)
			}
			looked.noted(ev)
			v.look()
		}
		return errServerEnded
	})
	g.Go(func() error {
		for {
			if err := looked.look(ctx, c); err != nil {
				return err
			}
			if !sleep(ctx, viewEvery) {
				return context.Cause(ctx)
			}
			select {
			case <-v.changed:
			case <-time.After(viewTick - viewEvery):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	return g.Wait()
}

// withServer calls f with a client of the server that runs, for which it waits.
func (v *viewer) withServer(ctx context.Context, f func(context.Context, *client.Client) error) error {
	for {
		scope, err := v.options.program.scope(&v.options.target)
		if err != nil {
			return err
		}
		c, _, err := v.options.program.introduce(ctx, &scope, false, schema.ProtocolVersion)
		if errors.Is(err, socket.ErrNobodyListens) && sleep(ctx, viewerPause) {
			continue
		}
		if err != nil {
			return v.options.program.answerOf(err)
		}
		defer c.Close() // f has said what is wrong
		return v.options.program.answerOf(f(ctx, c))
	}
}

package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// mostLogged is how many tasks can be shown at once.
const mostLogged = 100

// logsOptions are the flags of logs.
type logsOptions struct {
	driver
	follow bool
	tail   int
	stream string
	input  bool
	viewer viewerOptions
}

// allOutput is the value of --stream for all streams.
const allOutput = "all"

func (p *Program) logsCommand() *cobra.Command {
	o := &logsOptions{driver: p.readingDriver()}
	c := &cobra.Command{
		Use:   "logs TASK...",
		Short: "Show what tasks have written",
		Long: "Logs shows what is kept of the output of tasks: stdout goes to stdout, and stderr to stderr. Where both go to one\n" +
			"terminal they are in the order in which they came, and stderr is marked: by its colour, or by ! without colours.\n" +
			"What several tasks have written is told apart by the end of the id at the beginning of each line.\n" + namesHelp + "\n" +
			"With --follow it goes on with what comes, until the tasks have ended.\n" +
			"With --input stdin goes to one task that reads it, as a command of exec that was submitted with --set openStdin=true.\n" +
			"With --viewer all goes to stdout in one, as UTF-8 with colours and without other escape sequences. Of what came too fast,\n" +
			"or is too long, it is the end. With --follow it goes on when a server has ended and the next one runs, and ends with stdin.\n" +
			"On a terminal control characters are shown and not obeyed.",
		Example:           p.driverExamples("logs @last", "logs -f 018f", "logs build=7 --tail 10", "logs @last --stream stderr >errors.txt"),
		Args:              o.names("logs"),
		ValidArgsFunction: o.completeTasks(),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.viewer.check(c, o, args); err != nil {
				return err
			}
			if o.viewer.on {
				return o.view(c, args)
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, args) })
		},
	}
	o.flags(c)
	f := c.Flags()
	o.viewer.flags(f)
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the tasks have ended")
	f.Var(countTo(&o.tail, -1, 0, mostTail), "tail", "only so many lines, the last; at most what is in the last MiB of each stream")
	f.Lookup("tail").DefValue = ""
	choice(c, &o.stream, "stream", "which of the streams; one alone goes to stdout", option[string]{allOutput, allOutput}, option[string]{"stdout", "stdout"},
		option[string]{"stderr", "stderr"}, option[string]{"log", "log"})
	f.BoolVar(&o.input, "input", false, "send stdin to the task; it asks for --follow")
	complete(c, "tail", cobra.NoFileCompletions)
	return c
}

// mostTail bounds --tail.
const mostTail = 1_000_000

func (o *logsOptions) run(ctx context.Context, c *client.Client, names []string) error {
	l, err := o.begin(ctx, c, names)
	if err != nil {
		return err
	}
	return l.run(ctx)
}

// begin finds the tasks to show.
func (o *logsOptions) begin(ctx context.Context, c *client.Client, names []string) (*logs, error) {
	tasks, err := o.tasksNamed(ctx, c, names)
	if err != nil {
		return nil, err
	}
	if len(tasks) > mostLogged {
		return nil, fmt.Errorf("logs shows at most %d tasks at once, and these are %d; name fewer", mostLogged, len(tasks))
	}
	if err := o.checkInput(tasks); err != nil {
		return nil, err
	}
	l := &logs{client: c, options: o, print: newLogPrinter(o.program.Name, tasks, o.json, o.stream != allOutput), tasks: map[uuid.UUID]*loggedTask{}}
	if o.viewer.on {
		l.print.viewer = &viewerPrinter{to: o.viewer.to}
	}
	for _, t := range tasks {
		l.ids = append(l.ids, t.ID)
		l.tasks[t.ID] = &loggedTask{id: t.ID}
	}
	return l, nil
}

// run shows the tasks, from where they were shown last.
func (l *logs) run(ctx context.Context) error {
	c, o, ids := l.client, l.options, l.ids
	if o.follow {
		_, err := c.Subscribe(ctx, schema.SubscribeParams{IDs: ids, Events: []string{schema.EventStarted, schema.EventOutput, schema.EventFinished}})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := l.past(ctx, l.tasks[id]); err != nil {
			return err
		}
	}
	if !o.follow {
		return nil
	}
	ctx, l.fail = context.WithCancelCause(ctx)
	defer l.fail(nil)
	if err := l.inputOfRunning(ctx, ids[0]); err != nil {
		return err
	}
	return l.followAll(ctx)
}

// logs shows the output of tasks.
type logs struct {
	client  *client.Client
	options *logsOptions
	print   *logPrinter
	ids     []uuid.UUID               // of the tasks, in the order in which they were named
	tasks   map[uuid.UUID]*loggedTask // that have not ended, as far as is known
	// fail ends the wait for what comes.
	fail   context.CancelCauseFunc
	passes bool // stdin is sent to the task
}

// loggedTask says how far the output of a task was shown.
type loggedTask struct {
	id    uuid.UUID
	next  [len(schema.StreamNames)]int64 // the offset of the first byte that was not shown
	final bool
	// ordered says that its log tells the order of its streams.
	ordered bool
}

// shows reports whether a stream of a task is wanted. A log that only tells the order
// of the others is for those who ask for it.
func (l *logs) shows(stream schema.Stream, orderOnly bool) bool {
	if l.options.stream == allOutput {
		return stream != schema.Log || !orderOnly
	}
	return l.options.stream == stream.String()
}

// followAll shows what comes until all of the tasks have ended.
func (l *logs) followAll(ctx context.Context) error {
	for id, t := range l.tasks {
		if t.final {
			delete(l.tasks, id)
		}
	}
	if len(l.tasks) == 0 {
		return nil
	}
	for ev := range l.client.Events(ctx) {
		t := l.tasks[ev.TaskID()]
		var err error
		switch {
		case ev.Lost != nil && l.options.viewer.on:
			err = l.catchUp(ctx, l.ids[0])
		case ev.Lost != nil:
			err = errors.New("what the tasks wrote was read too slowly, and something is missing; show it again")
		case t == nil:
		case ev.Started != nil:
			if ev.Started.Attempt > max(1, l.print.attempts[t.id]) {
				err = l.print.attempt(t.id, ev.Started.Attempt)
			}
			l.beginInput(ctx, t.id)
		case ev.Output != nil:
			err = l.piece(ctx, t, ev.Output)
		case ev.Finished != nil:
			if err = l.rest(ctx, t, ev.Finished.OutputBytes); err == nil {
				err = l.print.end(ev.Finished)
			}
			delete(l.tasks, t.id)
		}
		if err != nil || len(l.tasks) == 0 {
			return err
		}
	}
	return endOf(ctx, l.client)
}

// piece shows a piece of output that has come, and before it what is missing between.
func (l *logs) piece(ctx context.Context, t *loggedTask, o *schema.OutputEvent) error {
	if !l.shows(o.Stream, t.ordered) {
		return nil
	}
	data, err := decodeOutput(o.Data, o.Encoding)
	if err != nil {
		return err
	}
	next := &t.next[o.Stream]
	l.skip(t, o.Stream, o.Offset)
	if *next < o.Offset {
		if err := l.upTo(ctx, t, o.Stream, o.Offset, l.print.show); err != nil {
			return err
		}
	}
	if seen := *next - o.Offset; seen > 0 {
		data = data[min(seen, int64(len(data))):]
	}
	if len(data) == 0 {
		return nil
	}
	*next += int64(len(data))
	return l.print.show(logPiece{t.id, o.Stream, *next - int64(len(data)), o.Seq, data})
}

// rest shows what is left of the output of a task that has ended.
func (l *logs) rest(ctx context.Context, t *loggedTask, written *schema.OutputBytes) error {
	for s, end := range ends(written) {
		if stream := schema.Stream(s); l.shows(stream, t.ordered) {
			l.skip(t, stream, end)
			if err := l.upTo(ctx, t, stream, toItsEnd, l.print.show); err != nil {
				return err
			}
		}
	}
	return l.print.flush(t.id)
}

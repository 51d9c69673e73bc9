package cmd

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// The limits of --priority, which are those of a submit.
const (
	leastPriority = -100
	mostPriority  = 100
)

// runOptions are the flags of run.
type runOptions struct {
	program    *Program
	input      inputFlags
	stdin      stdinFlags
	outputOnly bool
	json       bool
	quiet      bool
	id         string
	priority   int
	timeout    time.Duration
	grace      time.Duration
	labels     []string
	// serverFlags are flags for the server of the task.
	serverFlags []string
}

func (p *Program) runCommand() *cobra.Command {
	o := &runOptions{program: p}
	c := &cobra.Command{
		Use:   "run TYPE [-- ARGUMENT...]",
		Short: "Run one task and wait for it",
		Long: "Run starts a private server, submits one task to it and waits for its end.\n" +
			"The result goes to stdout as JSON; what the task writes, and its progress, go to stderr.\n" +
			"With --json the whole end goes to stdout, as status answers it, also where the task failed.\n" +
			p.runExecText() + "\n" +
			"Ctrl-C tells the task to stop, and kills it when its grace is over (--grace); a second Ctrl-C kills it at once.\n\n" +
			"Exit codes:\n" + strings.TrimSuffix(runCodesText(), "\n"),
		Example: strings.TrimSuffix(p.examples("run exec -- make test",
			"run sleep --set durationMs=2000 --set progressEveryMs=100",
			"run exec --output-only --set dir=/tmp -- ls -l",
			"run exec -o --stdin @list.txt -- sort"), "\n"),
		Args:              o.args,
		ValidArgsFunction: o.completeArgs,
		RunE:              func(c *cobra.Command, args []string) error { return o.run(c.Context(), args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.input.input, "input", "", "the input as JSON, or @FILE, or - for stdin")
	if !p.NoExec {
		f.StringVar(&o.stdin.from, "stdin", "", "what a command of exec reads: @FILE, or - for stdin")
		f.BoolVar(&o.stdin.none, "no-stdin", false, "a command of exec reads nothing")
		complete(c, "stdin", completeAtFile)
	}
	f.StringArrayVar(&o.input.set, "set", nil, "a member of the input as KEY=VALUE; VALUE is JSON of a type that the member may have, or else a string; a dot in KEY goes into an object")
	f.BoolVarP(&o.outputOnly, "output-only", "o", false, "write the task's stdout to stdout and no result")
	f.BoolVar(&o.json, "json", false, "print the whole end of the task to stdout as one line of JSON")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
	f.StringVar(&o.id, "id", "", "the id of the task, a UUID")
	f.Var(countTo(&o.priority, 0, leastPriority, mostPriority), "priority", "the priority of the task, from -100 to 100; higher runs first")
	f.Var(span(&o.timeout, 0, 0), "timeout", "bounds the task's time; 0 is its type's")
	f.Var(span(&o.grace, -1, 0), "grace", "how long the task may go on after it was told to stop, before it is killed")
	f.Lookup("grace").DefValue = formatSpan(executor.DefaultGrace) // of its server, where no type of the program has another
	f.StringArrayVar(&o.labels, "label", nil, "a label as KEY=VALUE")
	f.StringArrayVar(&o.serverFlags, "server-flag", nil, "a flag of serve for the task's server, as --server-flag=--log-level=debug; variables JOBLINE_… set none")
	complete(c, "set", o.completeSet)
	complete(c, "input", completeAtFile)
	for _, flag := range []string{"id", "priority", "timeout", "grace", "label", "server-flag"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
	return c
}

// runExecText says what is of exec alone.
func (p *Program) runExecText() string {
	if p.NoExec {
		return ""
	}
	return "What comes after -- is the member argv of the input, as exec wants it.\n" +
		"A command of exec reads the stdin of run, unless that is a terminal, or what --stdin names;\n" +
		"nothing with --no-stdin, which a loop of a shell wants that reads a list: while read f; do … done.\n"
}

// params makes the submit of the flags.
func (o *runOptions) params(name string) (p schema.SubmitParams, err error) {
	p = schema.SubmitParams{
		Type: name, Priority: o.priority, TimeoutMs: milliseconds(o.timeout),
		Events: []string{schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventFinished},
		Output: schema.OutputLossless,
	}
	o.input.schema = o.program.inputSchemaOf(name)
	if p.Input, err = o.input.build(os.Stdin); err != nil {
		return p, err
	}
	if o.id != "" {
		if p.ID, err = uuid.Parse(o.id); err != nil {
			return p, usagef("run: --id %q is not a UUID, as 018f0000-0000-7000-8000-00000000000a; leave it out to have one made", o.id)
		}
	}
	if o.grace >= 0 {
		p.GraceMs = new(milliseconds(o.grace))
	}
	p.Labels, err = labelsOf("run", o.labels)
	return p, err
}

// labelsOf reads the labels that were given to a command, each as KEY=VALUE.
func labelsOf(command string, texts []string) (labels map[string]string, err error) {
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("%s: --label %q: want KEY=VALUE", command, text)
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
	}
	return labels, nil
}

// milliseconds rounds up: a time that is given is never none.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func (o *runOptions) run(ctx context.Context, name string) error {
	show := newScreen(o.program.Name, name, o.quiet)
	params, err := o.params(name)
	if err != nil {
		return err
	}
	if err := o.checkCommand(name, params.Input); err != nil {
		return err
	}
	if o.program.shipsExec(name) && (show.together || !o.outputOnly) {
		params.Input = withOnePipe(params.Input)
	}
	stdin, input, err := o.stdin.apply(params.Input, o.input.input == "-", o.program.shipsExec(name))
	if err != nil {
		return err
	}
	params.Input = input
	if err := exec.CheckHeadroom(); err != nil {
		return err
	}
	defer exec.ReapOrphans()()
	server, err := o.serverProcess(len(params.Input), stdin)
	if err != nil {
		return err
	}
	server.Stderr = show
	c, err := client.Spawn(ctx, server)
	if err != nil {
		return err
	}
	f := &follower{client: c, server: server, show: show, refused: func(err error) error { return o.refused(show, name, err) }, outputOnly: o.outputOnly, json: o.json}
	return f.run(ctx, params)
}

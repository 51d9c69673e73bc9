package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// runOptions are the flags of run.
type runOptions struct {
	taskFlags
	stdin      stdinFlags
	outputOnly bool
	json       bool
	quiet      bool
	// serverFlags are flags for the server of the task.
	serverFlags []string
}

func (p *Program) runCommand() *cobra.Command {
	o := &runOptions{taskFlags: p.taskFlags("run"), stdin: stdinFlags{command: "run"}}
	c := &cobra.Command{
		Use:   "run [TYPE] [-- ARGUMENT...]",
		Short: "Run one task and wait for it",
		Long: "Run starts a private server, submits one task to it and waits for its end.\n" +
			"The result goes to stdout as JSON; what the task writes, and its progress, go to stderr.\n" +
			"With --json the whole end goes to stdout, as status answers it, also where the task failed.\n" +
			p.runExecText() + "\n" +
			"Ctrl-C tells the task to stop, and kills it when its grace is over (--grace); a second Ctrl-C kills it at once.\n\n" +
			"Exit codes:\n" + strings.TrimSuffix(runCodesText(), "\n"),
		Example: strings.TrimSuffix(p.examples("run -- make test",
			"run sleep --set durationMs=2000 --set progressEveryMs=100",
			"run --output-only --set dir=/tmp -- ls -l",
			"run -o --stdin @list.txt -- sort"), "\n"),
		Args: func(c *cobra.Command, args []string) error {
			if o.json && o.outputOnly {
				return usagef("run: --json and --output-only both want stdout: give one of them")
			}
			return o.splitArgs(c, args)
		},
		ValidArgsFunction: o.completeArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	o.taskFlags.flags(c)
	f := c.Flags()
	if !p.NoExec {
		f.StringVar(&o.stdin.from, "stdin", "", "what a command of exec reads: @FILE, or - for stdin")
		f.BoolVar(&o.stdin.none, "no-stdin", false, "a command of exec reads nothing")
		complete(c, "stdin", completeAtFile)
	}
	f.BoolVarP(&o.outputOnly, "output-only", "o", false, "write the task's stdout to stdout and no result")
	f.BoolVar(&o.json, "json", false, "print the whole end of the task to stdout as one line of JSON")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "show no progress")
	f.StringArrayVar(&o.serverFlags, "server-flag", nil, "a flag of serve for the task's server, as --server-flag=--log-level=debug; variables JOBLINE_… set none")
	complete(c, "server-flag", cobra.NoFileCompletions)
	return c
}

// runExecText says what is of exec alone.
func (p *Program) runExecText() string {
	if p.NoExec {
		return ""
	}
	return "What comes after -- is the member argv of the input, as exec wants it, which is the type where none is named.\n" +
		"A command of exec reads the stdin of run, unless that is a terminal, or what --stdin names;\n" +
		"nothing with --no-stdin, which a loop of a shell wants that reads a list: while read f; do … done.\n"
}

func (o *runOptions) run(ctx context.Context) error {
	show := newScreen(o.program.Name, o.name, o.quiet)
	params, err := o.params()
	if err != nil {
		return err
	}
	params.Events = []string{schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventFinished}
	params.Output = schema.OutputLossless
	if err := o.checkCommand(params.Input); err != nil {
		return err
	}
	if o.program.shipsExec(o.name) && (show.together || !o.outputOnly) {
		params.Input = withOnePipe(params.Input)
	}
	stdin, input, err := o.stdin.apply(params.Input, o.input.input == "-", o.program.shipsExec(o.name))
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
	f := &follower{client: c, server: server, show: show, refused: func(err error) error { return o.refused(show.say, err) }, outputOnly: o.outputOnly, json: o.json}
	return f.run(ctx, params)
}

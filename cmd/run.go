package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/nats"
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
	pty        bool // the command gets a terminal
	daemon     bool // the server that others share runs the task
	target     targetOptions
	retry      retryFlags
	conditions conditionFlags
	driver     driver // of the shared server, for the conditions
	// serverFlags are flags for the server of the task.
	serverFlags []string
}

func (p *Program) runCommand() *cobra.Command {
	o := &runOptions{taskFlags: p.taskFlags("run"), stdin: stdinFlags{command: "run"}}
	c := &cobra.Command{
		Use:   "run [TYPE] " + commandUse,
		Short: "Run one task and wait for it",
		Long: "Run starts a private server, submits one task to it and waits for its end.\n" +
			"With --store, or " + envName("store") + ", the task is one of the queue of many machines, as for every other command; --local runs it here.\n" +
			"The result goes to stdout as JSON; what the task writes, and its progress, go to stderr.\n" +
			"With --json the whole end goes to stdout, as status answers it, also where the task failed.\n" +
			"With --daemon the server runs the task that the other commands use; it is cancelled where run is killed. That server\n" +
			"runs it, too, where the task waits for something (--after, --at, --in, --key, --group, --needs, --dedupe) or is a part\n" +
			"of another one (--parent).\n" +
			p.runExecText() + "\n" +
			"Ctrl-C tells the task to stop, and kills it when its grace is over (--grace); a second Ctrl-C kills it at once.\n\n" +
			"Exit codes:\n" + codesText(runCodes),
		Example: strings.TrimSuffix(p.examples("run -- make test",
			"run sleep --set durationMs=2000 --set progressEveryMs=100",
			"run --output-only --set dir=/tmp -- ls -l",
			"run -o --stdin @list.txt -- sort"), "\n"),
		Args: func(c *cobra.Command, args []string) error {
			if err := errors.Join(o.checkFlags(c), o.retry.check(c)); err != nil {
				return err
			}
			return o.splitArgs(c, args)
		},
		ValidArgsFunction: o.completeArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	o.taskFlags.flags(c)
	o.retry.flags(c)
	o.driver = p.driver()
	o.conditions.flags(c, &o.driver)
	f := c.Flags()
	if !p.NoExec {
		f.StringVar(&o.stdin.from, "stdin", "", "what a command of exec reads: @FILE, or - for stdin")
		f.BoolVar(&o.stdin.none, "no-stdin", false, "a command of exec reads nothing")
		complete(c, "stdin", completeAtFile)
		f.BoolVar(&o.pty, "pty", false, "run a command of exec in a terminal, and show that on stdout as it is")
	}
	f.BoolVar(&o.daemon, "daemon", false, "have the server run the task that the other commands use; it is started where none runs")
	f.BoolVar(&o.target.local, "local", false, "run the task on this machine, on a server of its own, although "+envName("store")+" names a queue of many machines")
	o.target.scopeFlags(c)
	f.BoolVar(&o.target.noStart, "no-start", false, "fail where no server runs, and start none")
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
		"nothing with --no-stdin, which a loop of a shell wants that reads a list: while read f; do … done.\n" +
		"With --retry all of that stdin is read first, at most 8MiB of text, and each attempt gets it from its beginning.\n" +
		"With --pty it has a terminal as a window has one, of the size of this one: keys go to it as they are typed, Ctrl-C, too.\n"
}

// checkFlags refuses flags that exclude each other. A flag that names a server, or how
// it is found, asks for that server, and so does the variable with a queue of many machines, whose tasks
// the others run. So does a condition: a server of its own has nothing that the task could wait for.
func (o *runOptions) checkFlags(c *cobra.Command) error {
	named := o.target
	named.local, named.flagSet = false, nil
	asked := o.daemon || named != targetOptions{} || o.conditions.given(c)
	o.daemon = asked || !o.target.local && nats.IsAddress(o.target.orVariable("store", ""))
	o.driver.target = o.target
	if err := o.conditions.check("run"); err != nil {
		return err
	}
	switch {
	case o.conditions.dedupe.key != "" && o.conditions.dedupe.on != schema.DedupeReject && o.conditions.dedupe.on != schema.DedupeReplace:
		return usagef("run: --dedupe wants --dedupe-on reject or replace: run shows a task of its own, and %s logs --follow one that is there already", o.program.Name)
	case o.target.local && asked:
		return usagef("run: --local is a server of its own: leave it out, or --daemon, what names a server and what the task waits for")
	case o.pty && o.elsewhere():
		return usagef("run: --pty is for a command on this machine, and --store or %s has those of others run it; leave --pty out, or run it here with --local", envName("store"))
	case o.json && o.outputOnly:
		return usagef("run: --json and --output-only both want stdout: give one of them")
	case o.json && o.pty:
		return usagef("run: --json and --pty both want stdout: give one of them")
	case asked && len(o.serverFlags) > 0:
		return usagef("run: --server-flag is for a server of its own: leave it out, or --daemon and what the task waits for")
	case o.daemon && len(o.serverFlags) > 0:
		return usagef("run: --server-flag is for a server of its own, and %s has others run the task: leave it out, or give --local", envName("store"))
	}
	return o.target.check()
}

// elsewhere reports whether other machines run the task. They get with the submit what the command
// reads.
func (o *runOptions) elsewhere() bool { return o.daemon && o.target.elsewhere() }

func (o *runOptions) run(ctx context.Context) error {
	show := newScreen(o.program.Name, o.name, o.quiet)
	params, stdin, err := o.submission(show)
	if err != nil {
		return err
	}
	if err := withOwnID(&params); err != nil {
		return err
	}
	f := &follower{
		show: show, refused: func(err error) error { return o.refused(show.say, params.ID, o.askedServer(), err) },
		outputOnly: o.outputOnly || o.pty, json: o.json,
	}
	if o.pty {
		show.passThrough()
	}
	opens := opensStdin(params.Input)
	if o.daemon || o.pty || opens {
		if params.Input, err = f.passOn(params.Input, stdin, o.pty); err != nil {
			return err
		}
		stdin, f.pass.closes = nil, opens && !o.daemon
	}
	if o.daemon {
		return o.runOnDaemon(ctx, f, params)
	}
	return o.runOnOwnServer(ctx, f, params, stdin)
}

// askedServer are the options that name the server of the task.
func (o *runOptions) askedServer() *targetOptions {
	if !o.daemon {
		return &targetOptions{local: true}
	}
	return &o.target
}

// submission makes the submit of the flags, and answers what the command is to read
// that is not in it, or nil.
func (o *runOptions) submission(show *screen) (params schema.SubmitParams, stdin *os.File, err error) {
	if params, err = o.params(); err != nil {
		return params, nil, err
	}
	params.Events = []string{schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventRetrying, schema.EventFinished}
	params.Output = schema.OutputLossless
	o.retry.addTo(&params)
	if err := o.checkCommand(params.Input); err != nil {
		return params, nil, err
	}
	isExec := o.program.shipsExec(o.name)
	if o.pty && !isExec {
		return params, nil, usagef("run: --pty is for exec, and %s is another type", o.name)
	}
	if isExec && (show.together || !o.outputOnly) && !o.pty {
		params.Input = withOnePipe(params.Input)
	}
	if o.pty && o.stdin.from == "" && !o.stdin.none && o.input.input != "-" && terminalOf(os.Stdin).isTerminal() {
		return params, os.Stdin, nil
	}
	o.stdin.replayed = params.Retry != nil && params.Retry.MaxAttempts > 1 && !o.pty || o.elsewhere()
	stdin, params.Input, err = o.stdin.apply(params.Input, o.input.input == "-", isExec, show.say)
	return params, stdin, err
}

// runOnOwnServer runs the task on a server of its own, whose command reads stdin.
func (o *runOptions) runOnOwnServer(ctx context.Context, f *follower, params schema.SubmitParams, stdin *os.File) error {
	if err := exec.CheckHeadroom(); err != nil {
		return err
	}
	defer exec.ReapOrphans()()
	server, err := o.serverProcess(len(params.Input), stdin)
	if err != nil {
		return err
	}
	server.Stderr = f.show
	if f.client, err = client.Spawn(ctx, server); err != nil {
		return err
	}
	f.abandon = func() { _ = server.Process.Kill() } // an error means that it has ended
	return f.run(ctx, params)
}

// runOnDaemon runs the task on the server that others share, as if this process had
// started the command itself. The task ends with this process, whatever ends that.
func (o *runOptions) runOnDaemon(ctx context.Context, f *follower, params schema.SubmitParams) (err error) {
	if o.program.shipsExec(o.name) {
		caller, err := o.program.callerFor(&o.target)
		if err != nil {
			return err
		}
		if params.Input, err = caller.addTo(params.Input); err != nil {
			return err
		}
	}
	params.OnDisconnect = schema.OnDisconnectCancel
	server, err := o.program.connect(ctx, &o.target)
	if err != nil {
		return err
	}
	after, err := o.conditions.dependencies(ctx, server.Client)
	if err == nil {
		err = o.conditions.findParent(ctx, server.Client)
	}
	if err != nil {
		return errors.Join(err, server.Close())
	}
	o.conditions.addTo(&params, after)
	f.client = server.Client
	f.abandon = func() { _ = f.client.Close() } // what it answers, follow says better
	err = f.run(ctx, params)
	if f.signal.Load() != 0 {
		return err
	}
	ended := errors.Is(err, errServerEnded)
	if err = server.explain(ctx, err); ended && o.elsewhere() {
		err = fmt.Errorf("%w; others may run the task %v: %s logs --follow shows it, and cancel stops it", err, f.id, o.program.Name)
	}
	return err
}

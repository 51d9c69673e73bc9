package cmd

import (
	"context"
	"errors"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// submitOptions are the flags of submit.
type submitOptions struct {
	driver
	taskFlags
	conditions conditionFlags
	retry      retryFlags
	stdin      stdinFlags
	each       string
	lines      string // where the lines come from: @FILE, or - for stdin
	null       bool
	wait       bool
	dryRun     bool
	quiet      bool

	isEach bool // there is an --each
	caller *callerEnv
	after  []schema.Dependency // the tasks that the conditions name
}

func (p *Program) submitCommand() *cobra.Command {
	o := &submitOptions{driver: p.driver(), taskFlags: p.taskFlags("submit"), stdin: stdinFlags{command: "submit"}}
	c := &cobra.Command{
		Use:   "submit [TYPE] " + commandUse,
		Short: "Submit tasks, and print their ids",
		Long: "Submit puts a task into the queue, prints its id and leaves. The server of this user runs it; it is started\n" +
			"where none runs. " + p.submitExecText() +
			"Without a type and without a command it reads many tasks from stdin: each line is the params of a submit as JSON.\n" +
			"A line that is refused is told of, and the others are submitted all the same.\n\n" +
			"A task waits in the queue for what --after, --at, --in, --key, --group and --needs say. They hold for all tasks of a\n" +
			"submit; what a line of JSON says of the same goes before. Explain says why a task waits.\n\n" +
			"With --wait it waits until all have ended, with a bar for each that runs. Ctrl-C ends the wait, and not the tasks.\n" +
			"With --local the tasks run in a server of this command's own, which ends when all have ended.\n\n" +
			"Exit codes with --wait are those of xargs; without, 0, 1, 2 and 125 alone:\n" + codesText(manyCodes),
		Example: p.driverExamples("submit -- make test", "submit --label build=7 --priority 10 -- make -j4", "submit --after build=7 --key deploy -- make deploy", "submit --at 02:30 -- ./import", "submit sleep --set durationMs=2000", "submit <tasks.ndjson") +
			"\n  ls *.jpg | " + p.Name + " submit --each 'convert {} {.}.png' --wait",
		Args:              o.args,
		ValidArgsFunction: o.completeArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c) })
		},
	}
	o.driver.flags(c)
	o.taskFlags.flags(c)
	o.conditions.flags(c, &o.driver)
	o.retry.flags(c)
	f := c.Flags()
	if !p.NoExec {
		f.StringVar(&o.stdin.from, "stdin", "", "what the command reads: @FILE, or - for stdin; it is text, which is read to its end. Without it the command reads nothing")
		f.StringVar(&o.each, "each", "", "a command for each line of stdin, in which {} is the line, {.} the line without its extension, {/} its file name, {//} its folder, {/.} its file name without the extension, and {#} its number")
		f.StringVar(&o.lines, "lines", "-", "where the lines of --each come from: @FILE, or - for stdin")
		f.BoolVarP(&o.null, "null", "0", false, "the lines of --each end with a NUL byte, as those of find -print0")
		complete(c, "stdin", completeAtFile)
		complete(c, "each", cobra.NoFileCompletions)
		complete(c, "lines", completeAtFile)
	}
	f.BoolVar(&o.dryRun, "dry-run", false, "submit nothing, and say what the task would wait for; whether a program is there is seen only when it starts")
	f.BoolVar(&o.wait, "wait", false, "wait until all have ended")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print no ids")
	return c
}

// submitExecText says what is of exec alone.
func (p *Program) submitExecText() string {
	if p.NoExec {
		return "\n"
	}
	return "What comes after -- is a command of exec, which runs in this directory and\n" +
		"with this environment, or with --store in those of the server that runs it; with --each there is one for each line of stdin. A template with quotes or other\n" +
		"signs of a shell is read by a shell already, and a line is one word of it, never a part of its program.\n"
}

func (o *submitOptions) args(c *cobra.Command, args []string) error {
	if err := errors.Join(o.conditions.check("submit"), o.retry.check(c)); err != nil {
		return err
	}
	switch o.isEach = c.Flags().Changed("each"); {
	case o.dryRun && o.wait:
		return usagef("submit: --dry-run submits no task to wait for; leave --wait out")
	case o.dryRun && (o.isEach || len(args) == 0):
		return usagef("submit: --dry-run is for one task; name a type or a command, without --each")
	case o.isEach && len(args) > 0:
		return usagef("submit: --each has the command, and %q is one more; write all of it in --each", args[0])
	case o.isEach && c.Flags().Changed("dedupe"):
		return usagef("submit: --each makes a task of each line, and --dedupe lets one of them be; give lines of JSON that have dedupe names of their own, or leave --dedupe out")
	case o.isEach:
		o.name = exec.TypeName
		return nil
	case len(args) > 0:
		return o.splitArgs(c, args)
	case terminalOf(os.Stdin).isTerminal():
		return usagef("submit: which task? a command comes after --, as in %s submit -- make test; many tasks come from stdin, which is a terminal", o.driver.program.Name)
	}
	return nil
}

// run submits the task of the command line, or those of a source.
func (o *submitOptions) run(ctx context.Context, c *client.Client) error {
	err := o.readCaller()
	if err != nil {
		return err
	}
	if o.after, err = o.conditions.dependencies(ctx, c); err != nil {
		return err
	}
	if err := o.conditions.findParent(ctx, c); err != nil {
		return err
	}
	if o.name != "" && !o.isEach {
		return o.one(ctx, c)
	}
	o.noteNobody(ctx, c, o.conditions.on, newBoard(o.driver.program.Name).say)
	source, err := o.source()
	if err != nil {
		return err
	}
	source = inPlaces(source)
	if !o.isEach { // each line can have an id, and name others
		source = inOrder(source, func(ctx context.Context, id uuid.UUID) bool {
			_, err := c.Status(ctx, schema.StatusParams{ID: id})
			return err == nil
		})
	}
	return o.many(ctx, c, source)
}

// readCaller notes where this process runs, so that commands run there, too.
func (o *submitOptions) readCaller() (err error) {
	o.caller, err = o.driver.program.callerFor(&o.target)
	return err
}

// events are the notifications that the command wants of its tasks: nil is those that a server
// sends where it is not told, whatever its version is.
func (o *submitOptions) events() []string {
	if o.wait {
		return nil
	}
	return []string{}
}

// one submits the task of the command line.
func (o *submitOptions) one(ctx context.Context, c *client.Client) error {
	params, err := o.params()
	if err != nil {
		return err
	}
	if err := o.checkCommand(params.Input); err != nil {
		return err
	}
	isExec := o.driver.program.shipsExec(o.name)
	if o.stdin.from != "" {
		f, err := o.stdin.open(params.Input, o.input.input == "-", isExec)
		if err != nil {
			return err
		}
		if params.Input, err = o.stdin.asMember(f, params.Input); err != nil {
			return err
		}
	}
	if isExec {
		if params.Input, err = o.caller.addTo(params.Input); err != nil {
			return err
		}
	}
	params.Events = o.events()
	o.conditions.addTo(&params, o.after)
	o.retry.addTo(&params)
	if o.dryRun {
		return o.dryRunOne(ctx, c, params)
	}
	board := newBoard(o.driver.program.Name)
	if err := withOwnID(&params); err != nil {
		return err
	}
	submitted, err := c.Submit(ctx, params)
	if err != nil {
		return o.refused(board.say, params.ID, &o.target, err)
	}
	o.driver.program.rememberLast(&o.target, submitted.ID)
	if file := outboxOf(&submitted.Task); file != "" {
		board.say("the queue cannot be reached; the task waits in the outbox %s, and is sent when it can", file)
	} else if !submitted.State.Final() {
		o.noteNobody(ctx, c, askedOf(&submitted.Task), board.say)
	}
	if !o.wait || !o.json {
		if err := o.printID(&submitted); err != nil || !o.wait {
			return err
		}
	}
	w := newWaiter(ctx, c, board, o.printEnd)
	submitted.Input = params.Input // to show what it does
	w.expect(&submitted.Task)
	if submitted.State.Final() {
		err = w.end(&submitted.Task)
	}
	if err == nil {
		err = w.follow(nil)
	}
	return o.waited(ctx, w, err)
}

func (o *submitOptions) printID(r *schema.SubmitResult) error {
	if o.quiet {
		return nil
	}
	return o.printSubmitted(r)
}

// printEnd prints the end of a task for a program.
func (o *submitOptions) printEnd(t *schema.Task) error {
	if !o.json {
		return nil
	}
	return printJSONLine(os.Stdout, t)
}

// waited makes the exit code of how the tasks have ended.
func (o *submitOptions) waited(ctx context.Context, w *waiter, err error) error {
	if _, interrupted := errors.AsType[signalError](context.Cause(ctx)); interrupted && !o.target.local && w.leftOver() > 0 {
		w.board.say("the wait is over, and %s not ended: what is left goes on; %s list shows it", haveOf(w.leftOver()), o.driver.program.Name)
	}
	if err != nil {
		return err
	}
	return w.outcome.code.orNil()
}

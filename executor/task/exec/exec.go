// Package exec is the task type exec, which runs any program: it stands
// between the executor, which calls it, and the operating system. It sees to
// it that a command's whole tree of processes ends: with the command, when the
// task is stopped, and when this process dies in whatever way.
//
//	Run ─► plan ─► host.launch ─► tree.waitExit ─► tree.killProcessGroup ─► tree.reap ─► streams.drain
//	                                   ▲
//	            the context's end ─► terminator (SIGTERM, then SIGKILL)
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TypeName is the name of the task type.
const TypeName = "exec"

// ErrClosed is the error of a Run after Close.
var ErrClosed = errors.New("commands are not run any more")

// Options sets a Command. A zero is the default.
type Options struct {
	// EnvAllow, where it is not nil, is all of this process's environment that
	// commands get: names, or patterns such as LC_*. What a task gives in env
	// is added to it. Nil is the whole environment. With any other value New has
	// the system hide this process's environment from others of the same user, on
	// Linux: see docs/operations.md, Security.
	EnvAllow []string
	// Stdin, where it is not nil, is what commands read whose task gives no text
	// for it: the file itself, which all of them share. Nil is nothing to read.
	Stdin *os.File
	// Limit is the most commands that run at once; 0 is as many as the
	// executor runs tasks.
	Limit int
	// Workers is how many commands there is to be room for, also where one of
	// them uses up the system's processes: the executor's limit. 0 is the number
	// of CPUs, which is its default, too.
	Workers int
	// Logger gets what there is to say; nil is nothing. Neither arguments nor
	// values of the environment are ever logged.
	Logger *slog.Logger
}

// Input is the input of an exec task.
type Input struct {
	Argv     []string           `json:"argv" jsonschema:"the program and its arguments; no shell reads them unless the program is one" schema:"minItems=1"`
	Dir      string             `json:"dir,omitzero" jsonschema:"the working directory; that of the server by default"`
	Env      map[string]*string `json:"env,omitzero" jsonschema:"variables to set; null removes one"`
	CleanEnv bool               `json:"cleanEnv,omitzero" jsonschema:"start from a short list of variables (PATH, HOME, LANG and the like) instead of the server's whole environment"`
	Stderr   string             `json:"stderr,omitzero" jsonschema:"where stderr goes: stderr, a stream of its own (the default), or stdout, into the same pipe, so that all of it is in the order in which it was written" schema:"enum=stderr|stdout"`
	Stdin    string             `json:"stdin,omitzero" jsonschema:"text for the command's standard input; it is empty by default"`
}

// Result is the result of an exec task.
type Result struct {
	ExitCode   int    `json:"exitCode" jsonschema:"the exit code: 0, since any other fails the task"`
	DurationMs int64  `json:"durationMs" jsonschema:"how long the command ran, in milliseconds"`
	Executable string `json:"executable" jsonschema:"the absolute path of the program that ran"`
	PID        int    `json:"pid,omitzero" jsonschema:"the process id the command had"`
	Leaked     bool   `json:"leaked,omitzero" jsonschema:"whether a process of the command outlived it and could not be killed"`
}

// Command runs commands. Make one with New; one is enough for a process.
type Runner struct {
	options  Options
	log      *slog.Logger
	null     *os.File
	server   string // is in the keys of all its commands
	outer    string // before those: see outerKeysOf
	launcher *launcher
	closed   atomic.Bool
}

// New makes a Command. It starts nothing until the first Run or Containment. From then on no
// process that this one starts inherits the descriptors above 2 that this one
// was started with.
func New(o Options) (*Runner, error) {
	if err := checkPatterns(o.EnvAllow); err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("the stdin of commands: %w", err)
	}
	c := &Runner{
		options: o, null: null, server: newServerID(), outer: outerKeysOf(os.Getenv(serverVar)),
		log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
	}
	if o.EnvAllow != nil {
		if err := hideEnviron(); err != nil {
			c.log.Warn("commands can read the environment of this process in /proc", "error", err)
		}
	}
	c.launcher = newLauncher(c.log, c.server, cmp.Or(o.Workers, runtime.NumCPU()))
	return c, nil
}

// Type makes the task type exec of a Command of its own, which lasts as long
// as the process.
func Type(o Options) (executor.Type, error) {
	c, err := New(o)
	if err != nil {
		return executor.Type{}, err
	}
	return c.Type()
}

// Type is the task type exec.
func (c *Runner) Type() (executor.Type, error) {
	return executor.Define(TypeName, c.Run, executor.StartsItself(), executor.Source("builtin"), executor.Contains(c.Containment),
		executor.Limit(c.options.Limit),
		executor.Describe("Runs a program. It completes when the program exits with 0, and fails otherwise."))
}

// Containment is how the processes of commands are kept together, as
// schema.StatsResult.Containment. It makes what that needs, as the first Run does.
func (c *Runner) Containment() string { return c.launcher.containment() }

// Close ends what belongs to the Command, and every process that its commands
// have left. Call it when no Run is under way: what still runs is killed.
func (c *Runner) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.launcher.close()
	return c.null.Close()
}

// Run runs a command and waits for its end. It is the code of the task type;
// outside a task, the output is discarded, and the end of ctx is a SIGTERM
// that nothing follows.
func (c *Runner) Run(ctx context.Context, in Input) (Result, error) {
	id := executor.TaskID(ctx)
	if id == uuid.Nil {
		id = uuid.New()
	}
	return c.run(ctx, &in, task{
		id:      id.String(),
		stdout:  executor.Output(ctx, schema.Stdout),
		stderr:  executor.Output(ctx, schema.Stderr),
		started: func(pid int) { executor.Started(ctx, pid) },
		killed:  executor.Killed(ctx),
	})
}

func (c *Runner) run(ctx context.Context, in *Input, t task) (Result, error) {
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if c.closed.Load() {
		return Result{}, ErrClosed
	}
	p, err := c.command(in, t.id)
	if err != nil {
		return Result{}, err
	}
	if in.Stderr == schema.Stdout.String() {
		t.stderr = nil
	}
	began := time.Now()
	tree, out, err := c.start(p, &t, in.Stdin)
	if err != nil {
		return Result{}, p.spawnFailure(err)
	}
	t.started(tree.pid)
	out.begin()
	c.log.Debug("a command runs", "task", t.id, "pid", tree.pid, "program", p.name)
	e := supervise(ctx, tree, out, t.killed)
	took := time.Since(began)
	c.log.Debug("a command ended", "task", t.id, "pid", tree.pid, "program", p.name, "took", took, "leaked", e.leaked)
	if err := e.failure(p.name, out); err != nil {
		return Result{}, err
	}
	return Result{
		DurationMs: took.Milliseconds(), Executable: p.path, PID: tree.pid, Leaked: e.leaked,
	}, nil
}

// Package exec is the task type exec, which runs any program. It ends a
// command's whole tree of processes: when the command itself ends, when the task
// is stopped, and when this process dies, however that happens.
//
//	Run ─► command ─► launcher.launch ─► tree.waitExit ─► tree.killProcessGroup ─► tree.reap ─► streams.drain
//	                                          ▲
//	                   the context's end ─► terminator (SIGTERM, then SIGKILL)
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
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

// Options are the settings of a Runner. The zero value of each is its default.
type Options struct {
	// EnvAllow lists the variables of this process's environment that commands
	// get, by names or by patterns such as LC_*. The env of a task is added to
	// them. With nil they get the whole environment. With any other value New has
	// Linux hide this process's environment from other processes of the same user:
	// see docs/operations.md, Security.
	EnvAllow []string
	// HideEnviron hides this process's environment as EnvAllow does, where all of what is left of it is
	// for commands: what was removed from it since the start can still be read in /proc.
	HideEnviron bool
	// EnvHide lists the variables in the env of tasks whose values are hidden, by
	// names or by patterns as in EnvAllow, in either case: see executor.Secret. Nil
	// is DefaultEnvHide; an empty list hides none.
	EnvHide []string
	// Stdin is the stdin of commands whose task gives no text for it. They share
	// the one file. With nil they have nothing to read.
	Stdin *os.File
	// Limit is the most commands that run at once. With 0 only the executor's own
	// limit holds.
	Limit int
	// Workers is the executor's limit. Threads for so many commands are made in
	// advance, since a command may use up all processes that the system allows. 0
	// is the number of CPUs, which is the executor's default, too.
	Workers int
	// Logger gets warnings, and each command at the level debug. Nil logs nothing.
	// Neither arguments nor values of the environment are ever logged.
	Logger *slog.Logger
}

// Input is the input of an exec task.
type Input struct {
	Argv     []string           `json:"argv" jsonschema:"the program and its arguments; no shell reads them unless the program is one" schema:"minItems=1"`
	Dir      string             `json:"dir,omitzero" jsonschema:"the working directory; that of the server by default"`
	Env      map[string]*string `json:"env,omitzero" jsonschema:"variables to set; null removes one; values of names that the server hides are kept in memory only"`
	EnvFile  string             `json:"envFile,omitzero" jsonschema:"the absolute path of a file that has the environment of the command, in place of the server's: a JSON object of values by name, which only the server's user may read; cleanEnv and env change what it has"`
	CleanEnv bool               `json:"cleanEnv,omitzero" jsonschema:"start from a short list of variables (PATH, HOME, LANG and the like) instead of the server's whole environment"`
	Stderr   string             `json:"stderr,omitzero" jsonschema:"where stderr goes: stderr, a stream of its own (the default), or ordered, the same with a stream log that tells the order of both, or stdout, into the same pipe, so that all of it is in the order in which it was written" schema:"enum=stderr|ordered|stdout"`
	Stdin    string             `json:"stdin,omitzero" jsonschema:"text for the command's standard input; it is empty by default"`
	// OpenStdin lets Executor.Input write to the stdin, behind the text.
	OpenStdin bool   `json:"openStdin,omitzero" jsonschema:"whether the standard input stays open behind the text, for the method input"`
	PTY       bool   `json:"pty,omitzero" jsonschema:"whether the command runs in a terminal of its own: its stdin, stdout and stderr are that, and all that it writes is the stream stdout; not on Windows"`
	Rows      uint16 `json:"rows,omitzero" jsonschema:"the height of the terminal, in lines; 24 by default"`
	Columns   uint16 `json:"columns,omitzero" jsonschema:"the width of the terminal, in characters; 80 by default"`
}

// Result is the result of an exec task.
type Result struct {
	ExitCode   int    `json:"exitCode" jsonschema:"the exit code: 0, since any other fails the task"`
	DurationMs int64  `json:"durationMs" jsonschema:"how long the command ran, in milliseconds"`
	Executable string `json:"executable" jsonschema:"the absolute path of the program that ran"`
	PID        int    `json:"pid,omitzero" jsonschema:"the process id the command had"`
	Leaked     bool   `json:"leaked,omitzero" jsonschema:"whether a process of the command outlived it and could not be killed"`
}

// Runner runs commands. Make one with New; a process needs only one. Its
// methods may be called from many goroutines at once.
type Runner struct {
	options  Options
	log      *slog.Logger
	null     *os.File
	server   string // the server's id, which is in the keys of all its commands
	outer    string // what stands before those keys: see outerKeysOf
	launcher *launcher
	closed   atomic.Bool
}

// New makes a Runner. It starts no process before the first Run or Containment.
// From then on no process that this one starts inherits the descriptors above 2
// with which this one was started.
func New(o Options) (*Runner, error) {
	if o.EnvHide == nil {
		o.EnvHide = DefaultEnvHide
	}
	if err := checkPatterns(slices.Concat(o.EnvAllow, o.EnvHide)); err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("commands read %s, which cannot be opened: %w; give this system or container a /dev that has it", os.DevNull, err)
	}
	c := &Runner{
		options: o, null: null, server: newServerID(), outer: outerKeysOf(os.Getenv(serverVar)),
		log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
	}
	if o.EnvAllow != nil || o.HideEnviron {
		if err := hideEnviron(); err != nil {
			c.log.Warn("commands can read the environment of this process in /proc", "error", err)
		}
	}
	c.launcher = newLauncher(c.log, c.server, cmp.Or(o.Workers, runtime.NumCPU()))
	return c, nil
}

// Type makes a Runner and returns its task type. The Runner lasts as long as
// the process.
func Type(o Options) (executor.Type, error) {
	c, err := New(o)
	if err != nil {
		return executor.Type{}, err
	}
	return c.Type()
}

// Type returns the task type exec.
func (c *Runner) Type() (executor.Type, error) {
	return executor.Define(TypeName, c.Run, executor.StartsItself(), executor.Source("builtin"), executor.Contains(c.Containment),
		executor.Limit(c.options.Limit), executor.Secret("env", c.hidesVariable),
		executor.Describe("Runs a program. It completes when the program exits with 0, and fails otherwise."))
}

// Containment tells how the processes of commands are kept together: a value of
// schema.StatsResult.Containment. It makes what that takes, as the first Run
// does.
func (c *Runner) Containment() string { return c.launcher.containment() }

// Close kills every process that is left of the commands, and frees what
// belongs to the Runner. Call it when no Run is under way.
func (c *Runner) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.launcher.close()
	return c.null.Close()
}

// Run runs a command and waits for its end. It is the code of the task type.
// Outside a task the output is discarded, and the end of ctx sends SIGTERM,
// which no SIGKILL follows.
func (c *Runner) Run(ctx context.Context, in Input) (Result, error) {
	id := executor.TaskID(ctx)
	if id == uuid.Nil {
		id = uuid.New()
	}
	t := task{
		id:      id.String(),
		stdout:  executor.Output(ctx, schema.Stdout),
		stderr:  executor.Output(ctx, schema.Stderr),
		started: func(pid int) { executor.Started(ctx, pid) },
		killed:  executor.Killed(ctx),
	}
	if in.Stderr == Ordered {
		t.stdout, t.stderr = inOrder(t.stdout, t.stderr, executor.Output(ctx, schema.Log))
	}
	return c.run(ctx, &in, t)
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
	if in.Stderr == schema.Stdout.String() || in.PTY {
		t.stderr = nil
	}
	if in.OpenStdin {
		t.input = executor.NewInputReader(context.WithoutCancel(ctx)) // who is asked to stop may have a question
	}
	began := time.Now()
	tree, out, err := c.start(p, &t, in)
	if err != nil {
		return Result{}, p.spawnFailure(err)
	}
	executor.Handle(ctx, handlers(tree, out))
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

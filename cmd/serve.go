package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/rpc/wire"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	program  *Program
	executor executor.Options
	limit    int
	store    storeOptions
	stdio    stdio.Options
	listen   listenOptions
	grace    time.Duration
	envAllow []string
	envHide  []string
	level    slog.Level
	// taskStdin: descriptor taskStdin is what commands read.
	taskStdin bool
	// ignoreEnv takes no flag from the environment.
	ignoreEnv bool
	json      bool
}

const (
	// leastBytes is the least of a limit on requests or results, in bytes: with
	// less, hardly a request would be read, or hardly a task complete.
	leastBytes = 1 << 10
	// mostTasks bounds --limit: a slot costs memory before it has a task.
	mostTasks = 1_000_000
)

func (p *Program) serveCommand() *cobra.Command {
	o := &serveOptions{program: p, listen: listenOptions{program: p}}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the protocol on stdin and stdout, or on sockets",
		Long: "Serve reads requests from stdin and writes replies and notifications to stdout; logs go to stderr.\n" +
			"It ends when stdin does and all that was accepted is done.\n" +
			"With --listen it serves any number of connections on a socket, and ends by itself when it has had nothing to do for a while (--idle).\n\n" +
			"Every flag can be set in the environment instead: --max-message as JOBLINE_MAX_MESSAGE.\n" +
			"The flag wins, and the tasks' commands get no such variable. Sizes are as 16777216, 16M (16MiB) or 16MB, times as 300ms, 1.5s, 24h or 30d.",
		Args: noArgs,
		PreRunE: func(c *cobra.Command, _ []string) error {
			if err := o.listen.check(c); err != nil {
				return err
			}
			return o.fromEnv(c.Flags())
		},
		RunE: func(c *cobra.Command, _ []string) error { return o.serve(c) },
	}
	o.lifeFlags(c)
	o.listen.flags(c)
	o.limitFlags(c)
	o.logFlags(c)
	return c
}

func (o *serveOptions) lifeFlags(c *cobra.Command) {
	f := c.Flags()
	f.Var(countTo(&o.limit, runtime.NumCPU(), 0, mostTasks), "limit", "tasks that run at once; 0, for a store that others share, runs none")
	f.Var(places(&o.executor.Labels), "label", "what this server has of the labels that tasks ask for with submit --on, as gpu=a100,os=linux; given again it adds to those before")
	f.Var(executorName(&o.executor.Name), "name", "what this server is called where executors are listed and drained, as build-1; HOST/PID by default")
	choice(c, &o.stdio.RPC.Framing, "framing", "how messages are told apart",
		option[wire.Framing]{"auto", wire.FramingAuto}, option[wire.Framing]{"line", wire.FramingLine},
		option[wire.Framing]{"header", wire.FramingHeader})
	choice(c, &o.stdio.RPC.OnEOF, "on-eof", "what the end of stdin means for the tasks; finish leaves those that wait in a durable store",
		option[rpc.EOFPolicy]{"drain", rpc.EOFDrain}, option[rpc.EOFPolicy]{"finish", rpc.EOFFinish},
		option[rpc.EOFPolicy]{"cancel", rpc.EOFCancel})
	f.StringSliceVar(&o.executor.Allow, "allow", nil, "the task types on offer, by name, with commas between; all by default")
	complete(c, "allow", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return o.program.typeNames(), cobra.ShellCompDirectiveNoFileComp
	})
	if !o.program.NoExec {
		f.StringSliceVar(&o.envAllow, "env-allow", nil, "the only environment variables that commands inherit, as PATH,LC_*; all by default")
		f.StringSliceVar(&o.envHide, "env-hide", exec.DefaultEnvHide, "variables in the env of tasks whose values are kept in memory only, in either case; '' for none")
	}
	f.Var(span(&o.grace, executor.DefaultGrace, 0), "grace", "how long a task may go on after it was told to stop")
	f.BoolVar(&o.taskStdin, taskStdinFlag, false, "commands read descriptor 3")
	f.Lookup(taskStdinFlag).Hidden = true
	f.BoolVar(&o.ignoreEnv, "ignore-env", false, "take no flag from the environment")
	f.BoolVar(&o.stdio.IgnoreParent, "ignore-parent", false, "go on when the parent process dies")
}

func (o *serveOptions) limitFlags(c *cobra.Command) {
	f := c.Flags()
	o.store.flags(c)
	f.Var(size(&o.stdio.RPC.MaxMessage, wire.DefaultMaxMessage, leastBytes), "max-message", "bytes of one message")
	f.Var(count(&o.stdio.RPC.MaxBatch, rpc.DefaultMaxBatch, 1), "max-batch", "requests of one batch")
	f.Var(count(&o.stdio.RPC.MaxWaits, rpc.DefaultMaxWaits, 1), "max-waits", "wait requests that are not answered yet")
	f.Var(size(&o.executor.MaxResult, executor.DefaultMaxResult, leastBytes), "max-result", "bytes of a task's result")
	f.Var(size(&o.stdio.RPC.MaxUnsent, wire.DefaultMaxUnsent, 1), "max-unsent", "bytes that the client has not read before no more requests are read")
}

func (o *serveOptions) logFlags(c *cobra.Command) {
	choice(c, &o.level, "log-level", "the least level that is logged",
		option[slog.Level]{"info", slog.LevelInfo}, option[slog.Level]{"debug", slog.LevelDebug},
		option[slog.Level]{"warn", slog.LevelWarn}, option[slog.Level]{"error", slog.LevelError})
	choice(c, &o.json, "log-format", "how a line of the log looks",
		option[bool]{"text", false}, option[bool]{"json", true})
}

func (o *serveOptions) format() stdio.LogFormat {
	if o.json {
		return func(w io.Writer, ho *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, ho) }
	}
	return func(w io.Writer, ho *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, ho) }
}

// offersSome refuses an empty --allow, which an unset variable of a shell makes:
// taken as no flag, it would offer everything.
func (o *serveOptions) offersSome(c *cobra.Command) error {
	if len(o.executor.Allow) == 0 && c.Flags().Changed("allow") {
		return usagef("%s--allow is empty; name task types, or leave it out to offer all", commandPrefix(c))
	}
	return nil
}

// runsSome refuses a server that would run nothing of a store that no other server can run, and sets the limit.
func (o *serveOptions) runsSome(c *cobra.Command) error {
	if r := o.store.role; r != nats.RoleExecutor {
		if c.Flags().Changed("limit") && o.limit > 0 {
			return usagef("%s--limit %d: a %s runs no tasks; leave --limit or --store-role out", commandPrefix(c), o.limit, r)
		}
		o.limit = 0
	}
	if o.limit == 0 && !nats.IsAddress(o.store.file) {
		return usagef("%s--limit 0 runs nothing, and nobody else runs what is in this store; give 1 or more, or --store nats://HOST,HOST/NAMESPACE, which others share", commandPrefix(c))
	}
	o.executor.Limit, o.store.slots = orNone(o.limit), o.limit
	o.store.name = o.executor.Name
	return nil
}

func (o *serveOptions) serve(c *cobra.Command) (err error) {
	to, err := o.listen.log()
	if err != nil {
		return err
	}
	log, writer := stdio.NewLogger(to, o.level, o.format())
	defer writer.Close()
	if !o.ignoreEnv {
		for _, warning := range unknownVariables(c, os.Environ()) {
			log.Warn(warning)
		}
	}
	if err := cmp.Or(o.offersSome(c), o.store.check(c), o.runsSome(c)); err != nil {
		return err
	}
	if err := exec.CheckHeadroom(); err != nil {
		return err
	}
	defer exec.ReapOrphans()()
	o.store.noCreds = c.Flags().Changed("store-creds") && o.store.creds == ""
	if err := o.setTypes(log); err != nil {
		return err
	}
	sockets, release, err := o.listen.reserve(c.Context())
	if err != nil {
		return err
	}
	defer func() {
		_ = writer.Close() // who sees that the sockets are free reads there why this server has ended
		if e := release(); e != nil {
			err = joinFault(err, e)
		}
	}()
	return o.serveStore(c, sockets, log)
}

// serveStore opens the store and serves it.
func (o *serveOptions) serveStore(c *cobra.Command, sockets []*socket.Socket, log *slog.Logger) (err error) {
	store, err := o.store.open(c, log)
	if err != nil {
		return err
	}
	defer func() {
		if e := store.Close(); e != nil {
			// A fault whatever the exit code was: what the store could not
			// write is not there at the next start.
			err = joinFault(err, fmt.Errorf("serve: close the store: %w", e))
		}
	}()
	ex, err := executor.New(store, o.executor)
	if err != nil {
		return err
	}
	o.stdio.Logger = log
	o.stdio.Ended = func() { _ = store.Close() } // what it returns, the deferred call returns again
	if f, can := store.(interface{ Failed() <-chan error }); can {
		o.stdio.Failed = f.Failed()
	}
	if err := o.noteServed(); err != nil {
		log.Warn("which store is on the sockets cannot be noted: where this server is killed, a command may start one with another store in its place", "error", err)
	}
	o.stdio.RPC.Version = o.program.build().Version
	o.stdio.About = o.about(store)
	o.listen.apply(&o.stdio, ex, sockets, log)
	if folder, err := o.program.environmentFolder(); err == nil && len(sockets) > 0 {
		removeOldEnvironments(folder, time.Now())
	}
	if !o.stdio.OthersOnly && term.IsTerminal(int(os.Stdin.Fd())) {
		o.program.sayWaitsForRequests()
	}
	return exitCode(stdio.Run(c.Context(), ex, o.stdio)).orNil()
}

// about is what the log says of this server among others.
func (o *serveOptions) about(store executor.Store) []any {
	about := []any{"name", cmp.Or(o.executor.Name, executor.ProcessName())}
	if len(o.executor.Labels) > 0 {
		about = append(about, "labels", show.Places(o.executor.Labels))
	}
	if nats.IsAddress(o.store.file) {
		about = append(about, "role", o.store.role)
	}
	if box, keeps := store.(executor.Outbox); keeps {
		state := box.State()
		about = append(about, "outbox", state.File, "waiting", state.Waiting, "refused", state.Refused)
	}
	return about
}

// sayWaitsForRequests tells a person, who has started what is for programs, what it is
// waiting for.
func (p *Program) sayWaitsForRequests() {
	fmt.Fprintln(os.Stderr, p.Name+`: waiting for JSON-RPC requests on stdin, as {"jsonrpc":"2.0","id":1,"method":"types"}; Ctrl-D ends`)
}

// joinFault adds a fault to the error with which the server ended. It replaces an
// exit code.
func joinFault(err, fault error) error {
	if _, ok := errors.AsType[exitCode](err); ok {
		return fault
	}
	return errors.Join(err, fault)
}

// setTypes makes the task types of the flags.
func (o *serveOptions) setTypes(log *slog.Logger) (err error) {
	co := exec.Options{EnvAllow: o.envAllow, EnvHide: o.envHide, Workers: max(o.limit, 1), Logger: log}
	co.HideEnviron = o.store.takeCredentials()
	if o.taskStdin {
		co.Stdin = os.NewFile(taskStdin, "the stdin of commands")
	}
	if o.executor.Types, err = o.program.taskTypes(co); err != nil {
		return usagef("serve: %v", err)
	}
	o.executor.Logger = log
	o.executor.Grace = orNone(o.grace)
	return allowed(o.executor, o.program.Name)
}

// allowed refuses a name in --allow that no type has. Otherwise a typing error
// would show only when a task of the type is submitted.
func allowed(o executor.Options, program string) error {
	var names []string
	for _, t := range o.Types {
		names = append(names, allNames(t.Info())...)
	}
	for _, name := range o.Allow {
		if !slices.Contains(names, name) {
			return usagef("serve: --allow: no task type is named %q; %s", name, didYouMean(name, names, program+" types lists them"))
		}
	}
	return nil
}

// orNone makes of a flag's value the value of an option. A flag's 0 means none; an
// option's 0 means its default, and a negative number means none.
func orNone[N int | time.Duration](n N) N {
	if n == 0 {
		return -1
	}
	return n
}

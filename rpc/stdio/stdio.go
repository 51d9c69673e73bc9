// Package stdio is the life of a server that is a process: it serves the
// protocol on stdin and stdout, and ends as the protocol says when its input,
// its reader or its parent is gone, or a signal comes.
package stdio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// After a signal everything is over in signalBudget: hosts send SIGKILL two
// seconds after SIGTERM. Tasks get signalGrace of it.
const (
	signalBudget = 1500 * time.Millisecond
	signalGrace  = time.Second
	// orphanBudget is what a reader gets to take the last messages when the
	// parent is gone: it may be a process that never reads.
	orphanBudget = time.Second
	// lastMoment is how long a server that has ended in order waits for the end
	// of its input before it exits. Some clients (Emacs's jsonrpc) take an exit
	// that comes together with the last reply for a crash, and lose the reply.
	lastMoment = 250 * time.Millisecond
	// secondSignalBudget is what the tasks' processes get to die once they were
	// killed.
	secondSignalBudget = 200 * time.Millisecond
)

// Exit codes. A signal n ends with 128+n.
const (
	exitClean = 0
	exitFault = 1
	exitUsage = 2
)

// Options sets a server. The zero value is good.
type Options struct {
	// RPC sets the connection. Its Stop is this package's. The end of stdin
	// always ends the executor: OnEOF is rpc.EOFDrain where it does not say how.
	RPC rpc.Options
	// IgnoreParent goes on when the parent process dies, for a server that is
	// started in the background by a script.
	IgnoreParent bool
	// Ended, where it is not nil, is called once when the connection and the
	// tasks have ended, or their time is over, and before the last moment in
	// which the process waits for the end of its input: a store is closed here,
	// so that the next server need not wait for it.
	Ended  func()
	Logger *slog.Logger
}

// Main serves task types of the program's own, with a store in memory, and
// exits the process. It is for a main function that does nothing else.
// It takes no arguments: a program with flags of its own calls Run.
func Main(types ...executor.Type) {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "%s takes no arguments; it serves JSON-RPC on stdin and stdout\n", os.Args[0])
		os.Exit(exitUsage)
	}
	log, logs := NewLogger(os.Stderr, slog.LevelInfo, func(w io.Writer, o *slog.HandlerOptions) slog.Handler {
		return slog.NewTextHandler(w, o)
	})
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types, Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFault)
	}
	code := Run(context.Background(), ex, Options{Logger: log})
	_ = logs.Close() // never fails
	os.Exit(code)
}

// Run runs the executor, serves it on the process's stdin and stdout, and
// answers the exit code. It takes stdin and stdout for itself: what other
// code prints to os.Stdout goes to stderr.
func Run(ctx context.Context, ex *executor.Executor, o Options) int {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	terminal := findTerminal()
	conn, err := takeOver()
	if err != nil {
		log.Error("stdin and stdout cannot be used", "error", err)
		return exitFault
	}
	tuneGC()
	uuid.EnableRandPool() // ids are no secrets
	conn.atEnd = ex.ShuttingDown
	l := &life{
		executor: ex, log: log, conn: conn, stop: make(chan struct{}), signals: make(chan os.Signal, 4),
		interrupts: &interrupts{conn: conn, terminal: terminal},
	}
	NotifyEnd(l.signals)
	defer signal.Stop(l.signals) // in the last moment, too, they do no harm
	fault := l.run(ctx, o)
	if o.Ended != nil {
		o.Ended()
	}
	return l.exit(fault)
}

// life is one run of the server, to its end.
type life struct {
	executor   *executor.Executor
	log        *slog.Logger
	conn       *pipes
	stop       chan struct{} // closed to end the connection with its tasks
	signals    chan os.Signal
	interrupts *interrupts
}

// run serves to the end, and returns what was wrong with it.
func (l *life) run(ctx context.Context, o Options) (fault error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	keepFromDyingOfSIGPIPE()

	ran := make(chan error, 1)
	go func() { ran <- l.executor.Run(context.WithoutCancel(ctx)) }()
	served := make(chan error, 1)
	o.RPC.OnEOF = cmp.Or(o.RPC.OnEOF, rpc.EOFDrain)
	o.RPC.Stop, o.RPC.Logger = l.stop, l.log
	l.announce(ctx, o.RPC.Version)
	go func() { served <- rpc.Serve(ctx, l.conn, l.executor, o.RPC) }()
	whenReaderGone(l.conn, func() { cancel(rpc.ErrReaderGone) })
	parentGone := make(chan struct{})
	if !o.IgnoreParent {
		whenParentGone(func() { close(parentGone) })
	}
	return l.wait(ctx, served, ran, parentGone)
}

// wait waits for the first thing that ends the server, and then for the end.
func (l *life) wait(ctx context.Context, served, ran chan error, parentGone chan struct{}) (fault error) {
	var deadline <-chan time.Time
	for {
		select {
		case err := <-served:
			served = nil
			if err != nil {
				fault = err
				l.interrupt(err.Error())
			}
		case err := <-ran:
			if ran = nil; err != nil {
				fault = errors.Join(fault, err)
			}
			l.account(ctx)
			if parentGone == nil && deadline == nil {
				deadline = time.After(orphanBudget)
			}
		case s := <-l.signals:
			deadline = l.heed(l.interrupts.signalled(s), deadline)
		case <-l.interrupts.moment:
			deadline = l.heed(l.interrupts.momentOver(), deadline)
		case end := <-l.conn.ended:
			deadline = l.heed(l.interrupts.inputEnded(end), deadline)
		case <-parentGone:
			parentGone = nil
			fault = errors.New("the parent process is gone")
			deadline = l.heed(l.interrupts.driverGone(), deadline)
			l.endConnection(fault.Error())
		case <-deadline:
			l.log.Warn("not all tasks have ended in time")
			return fault
		}
		if served == nil && ran == nil {
			return fault
		}
	}
}

// heed does what a signal means, and returns the deadline of the end.
func (l *life) heed(v verdict, deadline <-chan time.Time) <-chan time.Time {
	switch v {
	case hold:
		l.log.Info("a signal of the terminal is left to the program that sends requests, for a moment", "signal", l.interrupts.held.String())
	case end:
		l.endConnection("signal: " + l.interrupts.acted.String())
		l.executor.Hasten(signalGrace)
		return time.After(signalBudget)
	case kill:
		l.executor.Hasten(0)
		return time.After(secondSignalBudget)
	}
	return deadline
}

// announce logs what is served.
func (l *life) announce(ctx context.Context, version string) {
	stats, err := l.executor.Stats(ctx)
	if err != nil {
		l.log.Error("the store does not answer", "error", err)
		return
	}
	l.log.Info("serving", "version", cmp.Or(version, rpc.DefaultVersion), "protocol", rpc.ProtocolVersion, "pid", os.Getpid(),
		"store", cmp.Or(stats.Store.File, stats.Store.Name), "limit", l.executor.Limit(), "queued", stats.Tasks.Queued)
}

// account logs what became of the tasks since the shutdown began. The executor
// has ended.
func (l *life) account(ctx context.Context) {
	became, err := l.executor.Shutdown(context.WithoutCancel(ctx), schema.ShutdownDrain, 0)
	if err != nil {
		return // it has ended, so there is none
	}
	l.log.Info("no task runs any more", "completed", became.Completed, "failed", became.Failed,
		"cancelled", became.Cancelled, "left", became.Left)
}

// interrupt ends the tasks as the store allows.
func (l *life) interrupt(because string) {
	l.log.Info("the tasks are interrupted", "because", because)
	l.executor.Begin(executor.ShutdownInterrupt)
}

func (l *life) endConnection(because string) {
	l.interrupt(because)
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
}

// exit makes the exit code of the end.
func (l *life) exit(fault error) int {
	switch signal := l.interrupts.acted; {
	case signal != 0:
		l.log.Info("ended by a signal", "signal", signal.String())
		return 128 + int(signal)
	case fault != nil:
		l.log.Error("ended by a fault", "error", fault)
		return exitFault
	}
	awaitInputEnd(l.conn, lastMoment)
	return exitClean
}

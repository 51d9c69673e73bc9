// Package stdio is the life of a server that is a process: it serves the
// protocol on stdin and stdout, and ends as the protocol says when its input,
// its reader or its parent is gone, or a signal comes. It can serve other
// connections beside those, or alone.
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

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

const (
	// signalTimeout is how long the end after a signal may take: hosts send SIGKILL
	// two seconds after SIGTERM.
	signalTimeout = 1500 * time.Millisecond
	// signalGrace is how much of that time the tasks get.
	signalGrace = time.Second
	// orphanTimeout is how long a reader may take for the last messages when the
	// parent is gone: the reader may be a process that never reads.
	orphanTimeout = time.Second
	// inputEndTimeout is how long a server that has ended in order waits for the end
	// of its input before it exits. Some clients (Emacs's jsonrpc) take an exit
	// that comes together with the last reply for a crash, and lose the reply.
	inputEndTimeout = 250 * time.Millisecond
	// killTimeout is how long the server waits for the end of processes that it
	// has killed.
	killTimeout = 200 * time.Millisecond
)

// Exit codes of a server that has not ended in order.
const (
	ExitFault = 1
	ExitUsage = 2 // a bad command line
	// ExitSignal is added to the number of the signal that ended the server.
	ExitSignal = 128
)

// Options sets a server. The zero value is good.
type Options struct {
	// RPC sets the connection. Its Stop is this package's. Without Others the end of
	// stdin always ends the executor: OnEOF is rpc.EOFDrain where it does not say how.
	RPC rpc.Options
	// IgnoreParent goes on when the parent process dies, for a server that is
	// started in the background by a script.
	IgnoreParent bool
	// Others, where it is not nil, serves further connections until the executor has
	// ended or the context ends. Then the end of stdin, or of the reader of stdout,
	// ends that connection alone.
	Others interface{ Run(context.Context) error }
	// OthersOnly leaves stdin and stdout alone.
	OthersOnly bool
	// Ended, where it is not nil, is called once when the connection and the tasks
	// have ended, or their time is over. A program closes its store here, so that
	// the next server can open it: the process itself may then still wait 250 ms
	// for the end of its input.
	Ended func()
	// Failed, where it is not nil, gets an error when the store can do nothing any more. Then the
	// tasks are interrupted, and the server ends with it.
	Failed <-chan error
	Logger *slog.Logger
	// About are attributes that the log has of what is served.
	About []any
}

// Main serves task types of the program's own, with a store in memory, and
// exits the process. It is for a main function that does nothing else.
// It takes no arguments: a program with flags of its own calls Run.
func Main(types ...executor.Type) {
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "%s takes no arguments; it serves JSON-RPC on stdin and stdout\n", os.Args[0])
		os.Exit(ExitUsage)
	}
	log, logs := NewLogger(os.Stderr, slog.LevelInfo, func(w io.Writer, o *slog.HandlerOptions) slog.Handler {
		return slog.NewTextHandler(w, o)
	})
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types, Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(ExitFault)
	}
	code := Run(context.Background(), ex, Options{Logger: log})
	_ = logs.Close() // never fails
	os.Exit(code)
}

// Run runs the executor, serves it on the process's stdin and stdout, and
// answers the exit code. It takes stdin and stdout for itself, unless
// Options.OthersOnly is set: what other code prints to os.Stdout goes to stderr.
func Run(ctx context.Context, ex *executor.Executor, o Options) int {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	terminal := findTerminal()
	conn := newPipes(descriptor{}, descriptor{})
	if !o.OthersOnly {
		var err error
		if conn, err = takeStdio(); err != nil {
			log.Error("stdin and stdout cannot be used", "error", err)
			return ExitFault
		}
	}
	tuneGC(ex.Durable())
	conn.atEnd = ex.ShuttingDown
	l := &life{
		executor: ex, log: log, conn: conn, stop: make(chan struct{}), signals: make(chan os.Signal, 4),
		interrupts: &interrupts{conn: conn, terminal: terminal}, served: make(chan error, 2), shared: o.Others != nil,
	}
	NotifyEnd(l.signals)
	defer signal.Stop(l.signals) // a signal does no harm while exit waits, either
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
	shared     bool       // it serves other connections, too
	serving    int        // what serves connections, and has not ended
	served     chan error // has the end of each
}

// run serves to the end, and returns what was wrong with it.
func (l *life) run(ctx context.Context, o Options) (fault error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	surviveSIGPIPE()

	ran := make(chan error, 1)
	go func() { ran <- l.executor.Run(context.WithoutCancel(ctx)) }()
	l.announce(ctx, o.RPC.Version, o.About)
	if !o.OthersOnly {
		l.serveStdio(ctx, o)
	}
	if o.Others != nil {
		l.serve(func() error { return o.Others.Run(ctx) })
	}
	parentGone := make(chan struct{})
	if !o.IgnoreParent {
		whenParentGone(func() { close(parentGone) })
	}
	fault = l.wait(ctx, ran, parentGone, o.Failed)
	cancel(nil)
	l.leave()
	return fault
}

// serve serves connections on a goroutine of its own.
func (l *life) serve(run func() error) {
	l.serving++
	go func() { l.served <- run() }()
}

// serveStdio serves the connection on stdin and stdout.
func (l *life) serveStdio(ctx context.Context, o Options) {
	ctx, cancel := context.WithCancelCause(ctx)
	o.RPC.Stop, o.RPC.Logger = l.stop, l.log
	if !l.shared {
		o.RPC.OnEOF = cmp.Or(o.RPC.OnEOF, rpc.EOFDrain)
	} else {
		o.RPC.OnEOF, o.RPC.Shared = rpc.EOFDetach, true
	}
	l.serve(func() error {
		defer cancel(nil)
		err := rpc.Serve(ctx, l.conn, l.executor, o.RPC)
		if l.shared && err != nil {
			l.log.Warn("the connection on stdin and stdout has ended", "because", err)
			return nil
		}
		return err
	})
	whenReaderGone(l.conn, func() { cancel(rpc.ErrReaderGone) })
}

// leave gives what still serves connections a moment to end. Its context has ended.
func (l *life) leave() {
	for late := time.After(killTimeout); l.serving > 0; l.serving-- {
		select {
		case <-l.served:
		case <-late:
			return
		}
	}
}

// wait waits for the first thing that ends the server, and then for the end.
func (l *life) wait(ctx context.Context, ran chan error, parentGone chan struct{}, failed <-chan error) (fault error) {
	var deadline <-chan time.Time
	for {
		select {
		case err := <-l.served:
			if l.serving--; err != nil {
				fault = errors.Join(fault, err)
				l.interrupt(err.Error())
			}
		case err := <-ran:
			if ran = nil; err != nil {
				fault = errors.Join(fault, err)
			}
			l.logOutcome(ctx)
			if parentGone == nil && deadline == nil {
				deadline = time.After(orphanTimeout)
			}
		case err := <-failed:
			fault = errors.Join(fault, err)
			deadline = l.end(err.Error())
		case s := <-l.signals:
			deadline = l.obey(l.interrupts.signalled(s), deadline)
		case <-l.interrupts.timeout:
			deadline = l.obey(l.interrupts.driverTimedOut(), deadline)
		case end := <-l.conn.ended:
			deadline = l.obey(l.interrupts.inputEnded(end), deadline)
		case <-parentGone:
			parentGone = nil
			fault = errors.New("the parent process is gone")
			deadline = l.obey(l.interrupts.driverGone(), deadline)
			l.endConnection(fault.Error())
		case <-deadline:
			l.log.Warn("not all tasks have ended in time")
			return fault
		}
		if l.serving == 0 && ran == nil {
			return fault
		}
	}
}

// obey does what a verdict demands, and returns the deadline of the end, which is
// nil while there is none.
func (l *life) obey(v verdict, deadline <-chan time.Time) <-chan time.Time {
	switch v {
	case hold:
		l.log.Info("a signal of the terminal is left to the program that sends requests, for a moment", "signal", l.interrupts.held.String())
	case end:
		return l.end("signal: " + l.interrupts.acted.String())
	case kill:
		l.executor.Hasten(0)
		return time.After(killTimeout)
	}
	return deadline
}

// end ends all, and answers the deadline of that.
func (l *life) end(because string) <-chan time.Time {
	l.endConnection(because)
	l.executor.Hasten(signalGrace)
	return time.After(signalTimeout)
}

// announce logs what is served.
func (l *life) announce(ctx context.Context, version string, about []any) {
	stats, err := l.executor.Stats(ctx)
	if err != nil {
		l.log.Error("the store does not answer", "error", err)
		return
	}
	l.log.Info("serving", append([]any{"version", cmp.Or(version, rpc.DefaultVersion), "protocol", schema.ProtocolVersion, "pid", os.Getpid(),
		"store", cmp.Or(stats.Store.File, stats.Store.Name), "limit", l.executor.Limit(), "queued", stats.Tasks.Queued}, about...)...)
}

// logOutcome logs what became of the tasks since the shutdown began. The executor
// has ended.
func (l *life) logOutcome(ctx context.Context) {
	became, err := l.executor.Shutdown(context.WithoutCancel(ctx), schema.ShutdownDrain, 0)
	if err != nil {
		return // it has ended, so there is none
	}
	l.log.Info("no task runs any more", "completed", became.Completed, "failed", became.Failed,
		"cancelled", became.Cancelled, "left", became.Left)
}

// interrupt ends the tasks. A durable store keeps those that may go on later.
func (l *life) interrupt(because string) {
	l.log.Info("the tasks are interrupted", "because", because)
	l.executor.BeginBecause(executor.ShutdownInterrupt, because)
}

func (l *life) endConnection(because string) {
	l.interrupt(because)
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
}

// exit answers the exit code.
func (l *life) exit(fault error) int {
	switch signal := l.interrupts.acted; {
	case signal != 0:
		l.log.Info("ended by a signal", "signal", signal.String())
		return ExitSignal + int(signal)
	case fault != nil:
		l.log.Error("ended by a fault", "error", fault)
		return ExitFault
	}
	if l.shared {
		_, reason := l.executor.Ending()
		l.log.Info("ended in order", "because", reason)
	}
	awaitInputEnd(l.conn, inputEndTimeout)
	return 0
}

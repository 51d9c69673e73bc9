package exec

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// task is what a command needs to know of its task.
type task struct {
	id      string
	stdout  io.Writer
	stderr  io.Writer             // nil: stderr goes where stdout goes
	input   *executor.InputReader // what the stdin has behind its text, or nil
	started func(pid int)
	// killed is closed when the grace is over. Nil means that it never is.
	killed <-chan struct{}
}

// start begins a command. Its error is the system's own.
func (c *Runner) start(p *command, t *task, in *Input) (*tree, *streams, error) {
	out, err := c.open(t, in)
	if err != nil {
		return nil, nil, err
	}
	tree, err := c.launcher.launch(p, &os.ProcAttr{Dir: p.dir, Env: p.env, Files: out.child[:]})
	if err != nil {
		out.close()
		return nil, nil, err
	}
	out.closeChild()
	return tree, out, nil
}

// open makes the terminal or the pipes of a command.
func (c *Runner) open(t *task, in *Input) (*streams, error) {
	stdin := stdinSource{file: cmp.Or(c.options.Stdin, c.null), text: in.Stdin, more: t.input}
	if in.PTY {
		return openPTY(stdin, t.stdout, in.Rows, in.Columns)
	}
	return openStreams(stdin, t.stdout, t.stderr)
}

// outcome tells how a command ended.
type outcome struct {
	state *os.ProcessState
	err   error // why the state is not known
	// stopRequested is set where it was asked to stop before it had ended.
	stopRequested bool
	forced        bool // it had to be killed
	leaked        bool // a process of it could not be killed
}

// supervise waits for the end of a command, and ends it when ctx does. When it
// returns, no process of its group lives, and all that it wrote was read. The
// order matters: the first process is reaped only when nothing will signal its
// group any more, so that nobody else can have its number before.
func supervise(ctx context.Context, tree *tree, out *streams, killed <-chan struct{}) outcome {
	t := terminator{tree: tree, killed: killed, exited: make(chan struct{}), done: make(chan struct{})}
	unhook := context.AfterFunc(ctx, t.run)
	tree.waitExit(out)
	close(t.exited)
	if !unhook() {
		<-t.done
	}
	tree.endSignals()
	o := outcome{stopRequested: t.stopRequested, forced: t.forced, leaked: t.leaked}
	tree.killProcessGroup()
	o.state, o.err = tree.reap()
	o.leaked = !tree.awaitGroupEnd() || o.leaked
	o.leaked = out.drain(func() { o.leaked = !tree.killIdentified() || o.leaked }) || o.leaked
	tree.close()
	return o
}

// terminator stops a command when its context ends.
type terminator struct {
	tree          *tree
	killed        <-chan struct{}
	exited        chan struct{} // closed when the first process has exited
	done          chan struct{} // closed when run has returned; the fields below may be read then
	stopRequested bool
	forced        bool
	leaked        bool
}

// run asks all processes of the command to end, and kills those that are left
// when killed is closed. Where the first process ends before the others, they
// still have the grace to clean up. A command that has ended already counts as
// not asked: this process may have been stopped for a while, and learn of the
// end and of the time-out together.
func (t *terminator) run() {
	defer close(t.done)
	if t.tree.hasExited() {
		return
	}
	t.stopRequested = true
	t.tree.endStops()
	t.tree.terminate(t.killed)
	select {
	case <-t.exited:
	case <-t.killed:
	}
	if t.tree.waitRest(t.killed) {
		return
	}
	t.forced = true
	t.leaked = !t.tree.kill()
}

// failure returns the task's error for an outcome, or nil.
func (o *outcome) failure(name string, out *streams) error {
	if o.err != nil {
		return fmt.Errorf("how %s ended is not known: %w", name, o.err)
	}
	code, signal := o.state.ExitCode(), signalOf(o.state)
	if code == 0 && !o.stopRequested {
		return nil
	}
	f := schema.TaskError{Kind: schema.KindExit, Forced: o.forced, Leaked: o.leaked, StderrTail: out.stderrTail()}
	if signal != "" {
		f.Kind, f.Signal = schema.KindSignal, signal
		f.Message = fmt.Sprintf("%s was ended by %s", name, signal)
	} else {
		f.ExitCode = &code
		f.Message = fmt.Sprintf("%s exited with code %d", name, code)
	}
	return &executor.Failure{TaskError: f}
}

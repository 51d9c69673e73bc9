package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// driver is what the commands have in common that act on an executor.
type driver struct {
	program *Program
	target  targetOptions
	json    bool
	// tellsLast is set for commands that change tasks: they say which one @last is.
	tellsLast bool
	// newestRun is set for commands that want of the tasks of a label those of its newest run.
	newestRun bool
}

func (p *Program) driver() driver { return driver{program: p} }

// readingDriver is that of a command for tasks, groups and schedules that are there already.
func (p *Program) readingDriver() driver {
	return driver{program: p, target: targetOptions{reads: true}}
}

// flags adds the flags that all of these commands have.
func (d *driver) flags(c *cobra.Command) {
	d.target.flags(c)
	c.Flags().BoolVar(&d.json, "json", false, "print the objects of the protocol, one in a line")
}

// with connects to the executor, and calls f with a context that a signal ends. An
// executor of this command's own (--local) is ended after f: it runs what was
// submitted to its end, but after a signal it cancels all.
func (d *driver) with(c *cobra.Command, f func(context.Context, *client.Client) error) error {
	ctx, stop := untilSignal(c.Context())
	defer stop()
	if err := zoneError(); err != nil && !d.json {
		d.tell("times are shown in UTC: %v", err)
	}
	executor, err := d.program.connect(ctx, &d.target)
	if err != nil {
		return err
	}
	err = f(ctx, executor.Client)
	interrupted, ok := errors.AsType[signalError](context.Cause(ctx))
	if ok && d.target.local {
		_, _ = executor.Shutdown(context.WithoutCancel(ctx), schema.ShutdownParams{Mode: schema.ShutdownCancel}) // it has ended where that fails
	}
	ended := executor.Close()
	switch {
	case ok:
		return interrupted.code()
	case err != nil:
		return withServerEnd(executor.explain(ctx, d.program.answerOf(err)), ended)
	}
	return ended
}

// answerOf makes of the error that a server has answered its message, which says what
// is wrong and the cure; the number is for programs.
func (p *Program) answerOf(err error) error {
	if older, ok := errors.AsType[*client.OlderServerError](err); ok {
		return errors.New(p.olderText(older))
	}
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case !ok:
		return err
	case e.Data.OutcomeUnknown:
		return p.unknownChange(outcomeUnknown(err))
	case e.Code == schema.CodeShuttingDown:
		return errors.New(p.endingText())
	case e.Code == schema.CodeDuplicate:
		what, _, _ := strings.Cut(e.Message, "; ")
		return errors.New(what + "; --dedupe-on reuse takes that one in place of a new one, and --dedupe-on replace cancels it where it has not ended")
	}
	return errors.New(e.Message)
}

// endingText says that a server takes nothing more, and how to come to the next one.
func (p *Program) endingText() string {
	return fmt.Sprintf("the server is shutting down, and takes no more tasks; %[1]s shutdown waits until it has ended (%[1]s shutdown --mode cancel ends it at once), and the next command starts another one", p.Name)
}

// signalError is the cause of a context that a signal has ended.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string { return e.signal.String() }

// code is the exit code of a program that a signal has ended.
func (e signalError) code() exitCode {
	if number, ok := e.signal.(syscall.Signal); ok {
		return exitCode(stdio.ExitSignal + int(number))
	}
	return stdio.ExitFault
}

// untilSignal is a context that ends with the first signal that asks this process to
// end; a second one ends the process. The function returned releases it.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := make(chan os.Signal, 1)
	stdio.NotifyEnd(signals)
	ctx, end := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() { // ends with the context
		defer close(stopped)
		select {
		case s := <-signals:
			end(signalError{s})
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, func() {
		end(nil)
		<-stopped
	}
}

// printJSONLine prints an object of the protocol as one line.
func printJSONLine(w io.Writer, v any) error {
	_, err := w.Write(append(show.EscapeJSON(wire.AppendJSON(nil, v)), '\n'))
	return err
}

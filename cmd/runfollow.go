package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// cancelTimeout bounds how long a server may take to answer a cancel.
const cancelTimeout = 2 * time.Second

// follower submits one task, shows what it does, and waits for its end.
type follower struct {
	client     *client.Client
	abandon    func() // gives the task up
	show       *screen
	pass       *passing          // what the command is sent while it runs, or nil
	refused    func(error) error // makes of a submit's error what a person can act on
	outputOnly bool
	json       bool                           // show the whole end
	id         uuid.UUID                      // of the task, once it is submitted
	lost       [len(schema.StreamNames)]int64 // bytes of each stream that were not shown
	signal     atomic.Int32                   // the signal that interrupted this process, or 0
	asks       sync.WaitGroup                 // goroutines that signals have started
}

func (f *follower) run(ctx context.Context, params schema.SubmitParams) error {
	signals := make(chan os.Signal, 4)
	stdio.NotifyEnd(signals)
	defer signal.Stop(signals)
	submitted, err := f.client.Submit(ctx, params)
	if err != nil {
		return withServerEnd(f.refused(err), f.client.Close())
	}
	for i := range submitted.WaitingFor {
		if w := &submitted.WaitingFor[i]; w.Kind != schema.WaitsForSlot { // its turn comes by itself
			f.show.say("the task waits: %s", show.WaitingText(w))
		}
	}
	f.id = submitted.ID
	task, err := f.follow(ctx, f.id, signals)
	ended := f.client.Close()
	f.show.done()
	if err != nil {
		return withServerEnd(err, ended)
	}
	return f.end(task)
}

// withServerEnd adds the error with which the server ended, if there is one and err
// does not have it.
func withServerEnd(err, ended error) error {
	if _, said := errors.AsType[*client.ServerEndedError](err); said || ended == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, ended)
}

// follow shows the task's events until it is final.
func (f *follower) follow(ctx context.Context, id uuid.UUID, signals <-chan os.Signal) (*schema.Task, error) {
	ctx, stop := context.WithCancel(ctx)
	var interrupts sync.WaitGroup
	interrupts.Go(func() { f.interrupts(ctx, id, signals) })
	defer f.asks.Wait()
	defer interrupts.Wait()
	defer stop()
	defer f.pass.end()
	for ev := range f.client.Events(ctx) {
		switch {
		case ev.Started != nil:
			f.pass.begin(ctx, f, id)
		case ev.Progress != nil:
			f.show.progress(ev.Progress.Progress)
		case ev.Output != nil:
			if err := f.output(ev.Output); err != nil {
				return nil, err
			}
		case ev.Retrying != nil:
			f.show.say("%s", retryingText(ev.Retrying, time.Now()))
		case ev.Finished != nil:
			f.reportLost()
			return &ev.Finished.Task, nil
		}
	}
	return nil, errServerEnded
}

// interrupts turns signals into cancels: the first asks the task to stop, the
// second kills it, a third gives it up.
func (f *follower) interrupts(ctx context.Context, id uuid.UUID, signals <-chan os.Signal) {
	var last time.Time
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if time.Since(last) < stdio.SameSignal {
				continue
			}
			n, last = n+1, time.Now()
			if number, ok := s.(syscall.Signal); ok {
				f.signal.CompareAndSwap(0, int32(number))
			}
			if n > 2 {
				f.abandon()
				continue
			}
			if n == 1 { // on a goroutine of its own, as the cancel is: nobody may read stderr
				f.asks.Go(func() { f.show.say("%v: the task is told to stop; once more kills it", s) })
			}
			force := n > 1
			f.asks.Go(func() { f.cancel(ctx, id, force) })
		}
	}
}

func (f *follower) cancel(ctx context.Context, id uuid.UUID, force bool) {
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
	defer stop()
	_, err := f.client.Cancel(ctx, schema.CancelParams{ID: id, Reason: "interrupted", Force: force})
	if err != nil && ctx.Err() == nil {
		f.show.say("the task cannot be cancelled: %v", err)
	}
}

// end shows how the task ended, and makes the exit code of it.
func (f *follower) end(task *schema.Task) error {
	if f.json {
		text, err := json.Marshal(task, json.Deterministic(true))
		if err == nil {
			err = f.show.result(append(text, '\n'))
		}
		if err != nil {
			return err
		}
	}
	if task.State == schema.Completed {
		switch {
		case f.outputOnly:
			return f.checkComplete()
		case f.json:
			return nil
		}
		return f.show.result(append(task.Result, '\n'))
	}
	e := task.Error
	if e == nil {
		e = &schema.TaskError{Message: "for an unknown reason"}
	}
	f.show.say("%s", show.End(task))
	if n := f.signal.Load(); n != 0 {
		return exitCode(stdio.ExitSignal + n)
	}
	return codeOf(e).orNil()
}

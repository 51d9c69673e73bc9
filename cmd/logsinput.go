package cmd

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// checkInput refuses --input if it is not clear to which task stdin would go.
func (o *logsOptions) checkInput(tasks []schema.Task) error {
	o.follow = o.follow || o.input
	if o.input && len(tasks) > 1 {
		return usagef("logs: --input sends stdin to one task, and these are %d; name one", len(tasks))
	}
	return nil
}

// inputOfRunning has stdin sent to a task that had started before its events came.
func (l *logs) inputOfRunning(ctx context.Context, id uuid.UUID) error {
	if !l.options.input {
		return nil
	}
	task, err := l.client.Status(ctx, schema.StatusParams{ID: id})
	if err == nil && task.State == schema.Running {
		l.beginInput(ctx, id)
	}
	return err
}

// beginInput has stdin sent to a task that has started. Stdin may never end, so nobody
// waits for the copy: it ends with the process.
func (l *logs) beginInput(ctx context.Context, id uuid.UUID) {
	if l.options.input && !l.passes {
		l.passes = true
		go l.passInput(ctx, id)
	}
}

// runsHere is an error where another process than the server runs a task: input does not get there, and
// stdin must not be read for it.
func (l *logs) runsHere(ctx context.Context, id uuid.UUID) error {
	task, err := l.client.Status(ctx, schema.StatusParams{ID: id})
	if err != nil || task.RunsOn == nil {
		return err
	}
	all, err := l.client.Executors(ctx)
	if err != nil {
		return err
	}
	for i := range all.Executors {
		if e := &all.Executors[i]; e.Self && e.Name == task.RunsOn.Executor {
			return nil
		}
	}
	return fmt.Errorf("stdin cannot be sent to %s: it runs on %s; give logs --input to the server there", id, task.RunsOn.Executor)
}

// passInput sends stdin to a task. Where the task takes none, or no more, and goes on,
// that is the end of the command.
func (l *logs) passInput(ctx context.Context, id uuid.UUID) {
	err := l.runsHere(ctx, id)
	if err != nil {
		l.fail(err)
		return
	}
	w := l.client.InputWriter(ctx, id)
	if _, err = io.Copy(w, os.Stdin); err == nil {
		err = w.Close()
	}
	if err == nil {
		return
	}
	if task, unknown := l.client.Status(ctx, schema.StatusParams{ID: id}); unknown == nil && task.State == schema.Running {
		l.fail(l.options.program.answerOf(err))
	}
}

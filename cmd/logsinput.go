package cmd

import (
	"context"
	"io"
	"os"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// checkInput refuses --input where nobody could tell to what stdin is to go.
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

// passInput sends stdin to a task. Where the task takes none, or no more, and goes on,
// that is the end of the command.
func (l *logs) passInput(ctx context.Context, id uuid.UUID) {
	w := l.client.InputWriter(ctx, id)
	_, err := io.Copy(w, os.Stdin)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		return
	}
	if task, unknown := l.client.Status(ctx, schema.StatusParams{ID: id}); unknown == nil && task.State == schema.Running {
		l.fail(l.options.program.answerOf(err))
	}
}

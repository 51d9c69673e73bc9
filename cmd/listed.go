package cmd

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// listed yields the tasks of all pages of a list. An error is the last that it yields.
func listed(ctx context.Context, c *client.Client, p schema.ListParams) iter.Seq2[schema.Task, error] {
	return func(yield func(schema.Task, error) bool) {
		for {
			page, err := c.List(ctx, p)
			if err != nil {
				yield(schema.Task{}, err)
				return
			}
			for _, t := range page.Tasks {
				if !yield(t, nil) {
					return
				}
			}
			if p.Cursor = page.NextCursor; p.Cursor == "" {
				return
			}
		}
	}
}

// collect answers the first tasks, at most so many.
func collect(tasks iter.Seq2[schema.Task, error], most int) (found []schema.Task, err error) {
	for t, err := range tasks {
		if err != nil {
			return nil, err
		}
		if found = append(found, t); len(found) >= most {
			break
		}
	}
	return found, nil
}

const (
	// callsAtOnce is how many calls of a command wait for their answers at once.
	callsAtOnce = 32
	// cancelsAtOnce is as callsAtOnce, for cancels: those that the server reads together
	// share the sync of its disk.
	cancelsAtOnce = 1024
)

// eachTask calls f for each task, so many at once, until one call fails.
func eachTask(ctx context.Context, atOnce int, tasks []schema.Task, f func(ctx context.Context, t *schema.Task) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range tasks {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return f(ctx, &tasks[i]) })
	}
	return g.Wait()
}

// withInputs asks for the inputs of tasks, which a list does not have. A task that is
// no longer kept stays as it is.
func withInputs(ctx context.Context, c *client.Client, tasks []schema.Task) error {
	return eachTask(ctx, callsAtOnce, tasks, func(ctx context.Context, t *schema.Task) error {
		full, err := c.Status(ctx, schema.StatusParams{ID: t.ID, IncludeInput: true})
		if isNotFound(err) {
			return nil
		}
		*t = full
		return err
	})
}

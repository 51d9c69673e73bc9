package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// This file shows the parts of tasks, and waits for them.

// mostParts is how many parts of a task status shows.
const mostParts = 50

// treesAtOnce is how many trees one request waits for: the results of the tasks at their tops fit
// into its answer.
const treesAtOnce = 16

// parts are the tasks below a task, each behind the one of which it is a part.
type parts struct {
	tasks  []schema.Task
	depths []int
	more   uuid.UUID // a task that has parts which are left out, or the nil id
}

// partsOf asks for the parts of a task, and theirs.
func partsOf(ctx context.Context, c *client.Client, t *schema.Task) (p parts, err error) {
	if t.Children == nil {
		return p, nil
	}
	if err = p.below(ctx, c, t.ID, 0); err == nil {
		err = withInputs(ctx, c, p.tasks)
	}
	return p, err
}

func (p *parts) below(ctx context.Context, c *client.Client, parent uuid.UUID, depth int) error {
	for t, err := range listed(ctx, c, schema.ListParams{Parent: parent, Order: schema.OldestFirst, Limit: mostParts}) {
		if err != nil {
			return err
		}
		if len(p.tasks) == mostParts {
			p.more = parent
			return nil
		}
		p.tasks, p.depths = append(p.tasks, t), append(p.depths, depth)
		if err := p.below(ctx, c, t.ID, depth+1); err != nil || p.more != uuid.Nil {
			return err
		}
	}
	return nil
}

// lines are a tree of the parts.
func (p *parts) lines(out terminal, columns int) []string {
	if len(p.tasks) == 0 {
		return nil
	}
	table := &table{columns: []tableColumn{{title: "PART", least: 10}, {title: "STATE", least: 8}, {title: "TYPE", least: 4, drop: 1}, {title: "TASK", least: 10}}}
	for i := range p.tasks {
		t := &p.tasks[i]
		table.add(tableCell{text: strings.Repeat("- ", p.depths[i]) + show.ShortID(t.ID)}, tableCell{show.State(t), stateStyle(t.State)}, tableCell{text: t.Type}, tableCell{text: show.Work(t)})
	}
	lines := append([]string{""}, table.lines(out, columns)...)
	if p.more != uuid.Nil {
		lines = append(lines, fmt.Sprintf("and more; list --parent %s shows those of one task", p.more))
	}
	return lines
}

// belowOf are the parts of tasks, and theirs, that are kept. Each comes behind the one of which it
// is a part.
func belowOf(ctx context.Context, c *client.Client, tasks []schema.Task) (below []schema.Task, err error) {
	for level := tasks; len(level) > 0; below = append(below, level...) {
		if level, err = childrenOf(ctx, c, level); err != nil {
			return nil, err
		}
	}
	return below, nil
}

// trees waits for tasks, and all that is below them. The server says when all of it has ended, and
// what there is at the beginning is shown meanwhile.
func (w *waiter) trees(tasks []schema.Task) error {
	below, err := belowOf(w.ctx, w.client, tasks)
	if err != nil {
		return err
	}
	w.more = true
	over := make(chan error, 1)
	go func() { // ends with the wait, or the context
		err := w.treesEnded(tasks, below)
		over <- err
		if err == nil {
			w.all() // the ends of those that are known may be on their way
		} else {
			w.stop()
		}
	}()
	err = w.named(slices.Concat(tasks, below))
	w.stop()
	if late := <-over; late != nil && !errors.Is(late, context.Canceled) {
		return late
	}
	return err
}

// treesEnded returns when tasks and all that is below them have ended. It adds those below them
// that are not known.
func (w *waiter) treesEnded(tasks, known []schema.Task) error {
	for some := range slices.Chunk(tasks, treesAtOnce) {
		p := schema.WaitParams{Tree: true}
		for i := range some {
			p.IDs = append(p.IDs, some[i].ID)
		}
		if _, err := w.client.Wait(w.ctx, p); err != nil {
			return err
		}
	}
	below, err := belowOf(w.ctx, w.client, tasks)
	if err != nil {
		return err
	}
	seen := map[uuid.UUID]bool{}
	for i := range known {
		seen[known[i].ID] = true
	}
	for i := range below {
		if t := &below[i]; !seen[t.ID] {
			w.expect(t)
			if err := w.end(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// childrenOf are the parts of tasks that are kept, without theirs. The tasks of a server that knows
// no parts have none.
func childrenOf(ctx context.Context, c *client.Client, tasks []schema.Task) (children []schema.Task, err error) {
	for i := range tasks {
		found, err := collect(listed(ctx, c, schema.ListParams{Parent: tasks[i].ID, Order: schema.OldestFirst, Limit: pageOfTasks}), mostNamed)
		if isOlder(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		children = append(children, found...)
	}
	return children, nil
}

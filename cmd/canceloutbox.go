package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// This file selects tasks that wait in an outbox while the queue behind it is not known.

// unreachedError says why tasks that do not wait in an outbox are not cancelled.
type unreachedError struct {
	outbox string
	why    string
}

func (e *unreachedError) Error() string {
	return fmt.Sprintf("of tasks that do not wait in the outbox %s none was cancelled: %s", e.outbox, e.why)
}

// waitingHere answers the tasks of the outbox that are named or selected, where a list has failed because the
// queue is not known. Without an outbox the failure stays as it is.
func (o *cancelOptions) waitingHere(ctx context.Context, c *client.Client, names []string, params schema.ListParams, failed error) ([]schema.Task, *unreachedError, error) {
	e, answered := errors.AsType[*wire.Error](failed)
	if !answered || e.Code != schema.CodeStoreUnavailable {
		return nil, nil, failed
	}
	lists := []schema.ListParams{params}
	for i, name := range names {
		named, err := o.namedHere(ctx, c, name)
		if err != nil {
			return nil, nil, err
		}
		lists = append(lists[:i], named)
	}
	var all []schema.Task
	unreached := &unreachedError{why: e.Message}
	for i := range lists {
		if lists[i].ID == "" && lists[i].States == nil {
			lists[i].States = []schema.State{schema.Queued} // what was refused has ended
		}
		found, file, err := entriesOf(ctx, c, &lists[i])
		switch {
		case err != nil || file == "":
			return nil, nil, errors.Join(err, failed)
		case len(found) > 1 && lists[i].ID != "":
			return nil, nil, fmt.Errorf("%s may mean %s in the outbox; write more of the id", lists[i].ID, counted(len(found), "task"))
		}
		unreached.outbox = file
		for _, t := range found {
			if !slices.ContainsFunc(all, func(other schema.Task) bool { return other.ID == t.ID }) {
				all = append(all, t)
			}
		}
	}
	return all, unreached, nil
}

// namedHere are the params of a list of what a name means.
func (o *cancelOptions) namedHere(ctx context.Context, c *client.Client, name string) (schema.ListParams, error) {
	key, value, isLabel := strings.Cut(name, "=")
	switch {
	case isLabel && key != "":
		return schema.ListParams{Labels: map[string]string{key: value}}, nil
	case isPartOfID(name) && name != lastTask:
		return schema.ListParams{ID: strings.ToLower(name)}, nil
	}
	tasks, err := o.tasksOf(ctx, c, name)
	if err != nil {
		return schema.ListParams{}, err
	}
	return schema.ListParams{ID: tasks[0].ID.String()}, nil
}

// entriesOf answers the tasks in the outbox of a server that a list has, and its file, "" where there is none.
func entriesOf(ctx context.Context, c *client.Client, list *schema.ListParams) (found []schema.Task, file string, err error) {
	for p := (schema.OutboxParams{Limit: pageOfOutbox}); ; {
		page, err := c.Outbox(ctx, p)
		if err != nil || page.File == "" {
			return nil, "", err
		}
		for i := range page.Entries {
			t := entryTask(&page.Entries[i], page.File)
			in, err := isListed(ctx, c, list, &t)
			if err != nil {
				return nil, "", err
			}
			if in {
				found = append(found, t)
			}
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return found, page.File, nil
		}
	}
}

// entryTask is the task of an entry, as far as that tells. One that may have been sent already is not said to wait.
func entryTask(e *schema.OutboxEntry, file string) schema.Task {
	t := schema.Task{ID: e.ID, Type: e.Type, State: schema.Queued, Labels: e.Labels, CreatedAt: e.CreatedAt}
	switch {
	case e.Refused != "":
		t.State = schema.Cancelled
	case !e.Sending:
		t.WaitingFor = []schema.Waiting{{Kind: schema.WaitsForOutbox, Name: file}}
	}
	return t
}

// isListed reports whether a list has a task of the outbox. The conditions of that are asked for where they matter.
func isListed(ctx context.Context, c *client.Client, p *schema.ListParams, t *schema.Task) (bool, error) {
	f := executor.Filter{States: p.States, Types: p.Types, Labels: p.Labels, Executor: p.Executor, ID: p.ID}
	if !f.Match(t) || p.Group == "" && p.Key == "" {
		return f.Match(t), nil
	}
	full, err := c.Status(ctx, schema.StatusParams{ID: t.ID})
	if isNotFound(err) {
		return false, nil
	}
	f.Group, f.Key = p.Group, p.Key
	return err == nil && f.Match(&full), err
}

// unreachable says why the queue behind an outbox cannot be changed at this moment, or nil. Without an outbox a
// change waits for the queue.
func unreachable(ctx context.Context, c *client.Client) (*unreachedError, error) {
	stats, err := c.Stats(ctx)
	if err != nil || !outOfReach(&stats.Store) {
		return nil, err
	}
	return &unreachedError{stats.Store.Outbox.File, stats.Store.Fault}, nil
}

// waitingFirst parts tasks into those whose cancel does not need the queue behind an outbox, because they wait there
// or have ended, as one has that was refused, and the others.
func waitingFirst(tasks []schema.Task) (waiting, others []schema.Task) {
	for _, t := range tasks {
		if outboxOf(&t) != "" || t.State.Final() {
			waiting = append(waiting, t)
		} else {
			others = append(others, t)
		}
	}
	return waiting, others
}

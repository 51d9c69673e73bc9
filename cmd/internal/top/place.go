package top

import (
	"context"
	"fmt"
	"slices"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// This file says which tasks wait for an executor. One look at all executors tells it of each task.

// runners are the executors that there are, or nil where that is not known.
type runners []schema.ExecutorInfo

// lookAtRunners asks for the executors. A server of an older version tells of none.
func lookAtRunners(ctx context.Context, c *client.Client) (runners, error) {
	all, err := c.Executors(ctx)
	switch {
	case answered(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return append(runners{}, all.Executors...), nil
}

// holdUp says in a few words why no executor begins a queued task, or "" where one may.
func (r runners) holdUp(t *schema.Task) string {
	if r == nil || t.State != schema.Queued {
		return ""
	}
	placed := t.Conditions != nil && len(t.Conditions.On) > 0
	all := slices.DeleteFunc(slices.Clone(r), func(i schema.ExecutorInfo) bool { return !t.Conditions.RunsWith(i.Labels) })
	if len(all) == 0 && placed {
		return "no executor has " + show.PlacesFlag(t.Conditions.On)
	}
	all = slices.DeleteFunc(all, func(i schema.ExecutorInfo) bool { return i.Types != nil && !slices.Contains(i.Types, t.Type) })
	if len(all) == 0 {
		return "no executor has its type"
	}
	begin := slices.DeleteFunc(slices.Clone(all), func(i schema.ExecutorInfo) bool { return i.Draining })
	switch {
	case len(begin) == 0 && len(all) == 1:
		return all[0].Name + " is draining"
	case len(begin) == 0:
		return fmt.Sprintf("%d executors are draining", len(all))
	case !placed || slices.ContainsFunc(begin, func(i schema.ExecutorInfo) bool { return i.Running < i.Limit }):
		return "" // why it waits for a slot is said of all
	case len(begin) == 1:
		return begin[0].Name + " is full"
	}
	return fmt.Sprintf("%d executors are full", len(begin))
}

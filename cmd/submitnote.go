package cmd

import (
	"context"
	"slices"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// noteNobody tells a person that no executor is there that could run what is submitted, if that is possible:
// with required labels (on), and in a queue of many machines. The task is accepted all the same, and runs when
// such an executor comes.
func (o *submitOptions) noteNobody(ctx context.Context, c *client.Client, on map[string]string, say func(format string, args ...any)) {
	if len(on) == 0 && !o.target.elsewhere() {
		return
	}
	found, err := c.Executors(ctx)
	if err != nil { // a server of an older version; the task was accepted all the same
		return
	}
	all := found.Executors
	wants := &schema.Conditions{On: on}
	have := slices.DeleteFunc(slices.Clone(all), func(e schema.ExecutorInfo) bool { return !wants.RunsWith(e.Labels) })
	draining := !slices.ContainsFunc(have, func(e schema.ExecutorInfo) bool { return !e.Draining })
	switch {
	case len(all) == 0:
		say("nobody runs the tasks of this store now; what is submitted waits for a server with it that has no --limit 0")
	case len(have) == 0:
		say("no executor has %s now; what is submitted waits for one that has", show.Places(on))
	case draining:
		say("who could run it is draining; what is submitted waits: %s executors shows who", o.driver.program.Name)
	}
}

// askedOf are the labels that a task asks for, perhaps because of its group.
func askedOf(t *schema.Task) map[string]string {
	if t.Conditions == nil {
		return nil
	}
	return t.Conditions.On
}

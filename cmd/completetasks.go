package cmd

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// completionTime bounds how long a completion asks the executor.
	completionTime = 500 * time.Millisecond
	// mostCompleted is how many tasks a completion looks at, the newest.
	mostCompleted = 200
)

// names checks the arguments of a command that takes names of tasks.
func (d *driver) names(command string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s: which task? name it by its id, by %s or by a label; %s list shows them", command, lastTask, d.program.Name)
		}
		return nil
	}
}

// recent answers the newest tasks for a completion. It starts no executor, and gives
// up soon: a completion has nowhere to say why it has found nothing.
func (d *driver) recent(states []schema.State) (tasks []schema.Task) {
	ctx, stop := context.WithTimeout(context.Background(), completionTime)
	defer stop()
	d.ask(ctx, func(c *client.Client) {
		tasks, _ = collect(listed(ctx, c, schema.ListParams{States: states, Limit: mostCompleted}), mostCompleted)
		_ = withInputs(ctx, c, tasks[:min(len(tasks), defaultRows)]) // the others are completed without what they do
	})
	return tasks
}

// ask calls f with the executor, if one runs.
func (d *driver) ask(ctx context.Context, f func(*client.Client)) {
	target := d.target
	if target.local {
		return // an executor of this command's own has no tasks yet
	}
	target.noStart = true
	c, err := d.program.connect(ctx, &target)
	if err != nil {
		return
	}
	defer c.Close()
	f(c.Client)
}

// completeTasks completes names of tasks in some states: whole ids, with what the task
// is and how old, @last and labels. Without states it is all tasks.
func (d *driver) completeTasks(states ...schema.State) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		now, found := time.Now(), []string{lastTask + "\tthe task that this terminal submitted last"}
		tasks := d.recent(states)
		for i := range tasks {
			t := &tasks[i]
			found = append(found, t.ID.String()+"\t"+show.Line(show.State(t)+" "+t.Type+" "+show.Work(t)+" "+show.Age(t.CreatedAt, now)))
		}
		return startingWith(append(found, labelsIn(tasks)...), word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeType completes types, also several with commas between.
func (d *driver) completeType(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	before := word[:strings.LastIndexByte(word, ',')+1]
	names := d.program.typeNames()
	for i := range names {
		names[i] = before + names[i]
	}
	return startingWith(names, word), cobra.ShellCompDirectiveNoFileComp
}

// completeLabel completes labels of the newest tasks.
func (d *driver) completeLabel(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return startingWith(labelsIn(d.recent(nil)), word), cobra.ShellCompDirectiveNoFileComp
}

// completeOwner completes the owners of the newest tasks.
func (d *driver) completeOwner(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	owners := map[string]int{}
	for _, t := range d.recent(nil) {
		if owner := t.Labels[show.OwnerLabel]; owner != "" {
			owners[owner]++
		}
	}
	return startingWith(withCounts(owners), word), cobra.ShellCompDirectiveNoFileComp
}

// labelsIn are the labels of tasks but those of owners, as KEY=VALUE.
func labelsIn(tasks []schema.Task) []string {
	labels := map[string]int{}
	for i := range tasks {
		for key, value := range tasks[i].Labels {
			if key != show.OwnerLabel && show.Line(key+"="+value) == key+"="+value { // or it cannot be typed
				labels[key+"="+value]++
			}
		}
	}
	return withCounts(labels)
}

// withCounts are words, sorted, each with how many tasks have it.
func withCounts(counts map[string]int) []string {
	var found []string
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		found = append(found, word+"\t"+counted(counts[word], "task"))
	}
	return found
}

func startingWith(words []string, prefix string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, prefix) })
}

package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// knownGroups answers the groups and resources for a completion. As recent does, it starts no
// server, and gives up soon.
func (d *driver) knownGroups() (all schema.GroupsResult) {
	ctx, stop := context.WithTimeout(context.Background(), completionTime)
	defer stop()
	d.ask(ctx, func(c *client.Client) { all, _ = c.Groups(ctx, schema.GroupsParams{Limit: pageOfGroups}) })
	return all
}

// completeGroup completes the names of groups.
func (d *driver) completeGroup(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, g := range d.knownGroups().Groups {
		if show.Line(g.Name) == g.Name { // or it cannot be typed
			about := fmt.Sprintf("%d running, %d ready", g.Running, g.Ready)
			if g.Paused {
				about += ", paused"
			}
			found = append(found, g.Name+"\t"+about)
		}
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
}

// completeGroupArg completes the name of a group as the only argument.
func (d *driver) completeGroupArg(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return d.completeGroup(c, args, word)
}

// completeKey completes the keys of the newest tasks.
func (d *driver) completeKey(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	keys := map[string]int{}
	for _, t := range d.recent(nil) {
		if c := t.Conditions; c != nil && c.Key != "" && show.Line(c.Key) == c.Key {
			keys[c.Key]++
		}
	}
	return startingWith(withCounts(keys), word), cobra.ShellCompDirectiveNoFileComp
}

// completeNeeds completes the names of resources.
func (d *driver) completeNeeds(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, r := range d.knownGroups().Resources {
		found = append(found, fmt.Sprintf("%s=\t%d of %d free", r.Name, r.Total-r.Used, r.Total))
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

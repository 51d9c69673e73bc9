package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// pauseOptions are the flags of pause and resume.
type pauseOptions struct {
	driver
	pause bool // it is pause
}

func (p *Program) pauseCommand() *cobra.Command {
	o := &pauseOptions{driver: p.driver(), pause: true}
	c := o.command()
	c.Short = "Let no task begin, or none of a group"
	c.Long = "Pause lets no task begin until resume, or with a name none of that group. Tasks that run go on, and submits are\n" +
		"taken as ever. A durable store keeps it over a restart."
	return c
}

func (p *Program) resumeCommand() *cobra.Command {
	o := &pauseOptions{driver: p.driver()}
	c := o.command()
	c.Short = "Let tasks begin again"
	c.Long = "Resume ends a pause: the one of everything, or with a name the one of that group. The two are apart: a group that\n" +
		"was paused by its name stays so when everything is resumed."
	return c
}

// names are that of the command, and that of the command that undoes it.
func (o *pauseOptions) names() (name, other string) {
	if o.pause {
		return "pause", "resume"
	}
	return "resume", "pause"
}

// command makes what both commands have in common.
func (o *pauseOptions) command() *cobra.Command {
	name, _ := o.names()
	c := &cobra.Command{
		Use:               name + " [GROUP]",
		Example:           o.program.driverExamples(name, name+" deploy"),
		Args:              o.args,
		ValidArgsFunction: o.completeGroupArg,
		RunE: func(c *cobra.Command, args []string) error {
			group := ""
			if len(args) > 0 {
				group = args[0]
			}
			return o.with(c, func(ctx context.Context, c *client.Client) error { return o.run(ctx, c, group) })
		},
	}
	o.flags(c)
	return c
}

func (o *pauseOptions) args(_ *cobra.Command, args []string) error {
	name, _ := o.names()
	switch {
	case len(args) > 1:
		return usagef("%s takes one group at most, it has %d", name, len(args))
	case len(args) == 1 && args[0] == "":
		return usagef("%s: the name of the group is empty; name one, or leave it out for all tasks", name)
	case len(args) == 1 && args[0] == noName && o.pause:
		return usagef("%s: %s is no name of a group; name one, or leave it out for all tasks", name, noName)
	}
	return nil
}

// run pauses or resumes a group, or with the name "" everything.
func (o *pauseOptions) run(ctx context.Context, c *client.Client, group string) error {
	_, other := o.names()
	change, does := c.Resume, "begin again"
	if o.pause {
		change, does = c.Pause, "that wait do not begin"
	}
	unknown, err := o.unknownGroup(ctx, c, group)
	if err != nil {
		return err
	}
	if err := change(ctx, schema.PauseParams{Group: group}); err != nil {
		return err
	}
	if unknown != "" {
		fmt.Fprintf(safe(os.Stderr), "%s: %s\n", o.program.Name, unknown)
	}
	if o.json {
		return printJSONLine(os.Stdout, schema.Empty{})
	}
	of, undo := "", o.program.Name+" "+other
	if group != "" {
		of, undo = "of the group "+group+" ", undo+" "+show.ShellWord(group)
	}
	o.tell("tasks %s%s; %s undoes it", of, does, undo)
	return nil
}

// unknownGroup says that a group has nothing that groups shows: its name may be wrong. It is empty
// for one that has, and for the name "".
func (o *pauseOptions) unknownGroup(ctx context.Context, c *client.Client, group string) (string, error) {
	if group == "" {
		return "", nil
	}
	all, err := allGroups(ctx, c)
	if err != nil {
		return "", err
	}
	names := make([]string, len(all.Groups))
	for i := range all.Groups {
		names[i] = all.Groups[i].Name
	}
	if slices.Contains(names, group) {
		return "", nil
	}
	if s, err := findSchedule(ctx, c, group); err == nil && s != nil {
		return fmt.Sprintf("%s is a schedule, and nothing is known of a group of that name; %s unschedule %[1]s ends the schedule, and schedule %[1]s --group NAME puts its tasks into a group to pause", show.ShellWord(group), o.program.Name), nil
	}
	text := fmt.Sprintf("nothing is known of the group %q", group)
	if o.pause {
		text = fmt.Sprintf("nothing is known of the group %q yet, and the pause is kept for tasks to come", group)
	}
	return text + "; " + didYouMean(group, names, o.program.Name+" groups lists those that are known"), nil
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// pageOfGroups is how many groups are asked for at once.
const pageOfGroups = 1000

func (p *Program) groupsCommand() *cobra.Command {
	d := p.readingDriver()
	c := &cobra.Command{
		Use:   "groups",
		Short: "List the groups of tasks, and set their limits",
		Long: "Groups shows the groups that have settings, or tasks that run or are ready, and the resources that tasks\n" +
			"need. A task is in the group that submit --group names; a group needs not be made first.",
		Example: p.driverExamples("groups", "groups set deploy --limit 1", "groups set mail --rate 100/1m"),
		Args:    knownCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return d.with(c, func(ctx context.Context, c *client.Client) error { return d.printGroups(ctx, c) })
		},
	}
	d.flags(c)
	c.AddCommand(p.setGroupCommand())
	return c
}

func (d *driver) printGroups(ctx context.Context, c *client.Client) error {
	all, err := allGroups(ctx, c)
	if err != nil {
		return err
	}
	if d.json {
		return printJSONLine(os.Stdout, &all)
	}
	out := terminalOf(os.Stdout)
	if all.Paused {
		d.tell("everything is paused; %s resume lets tasks begin", d.program.Name)
	}
	if len(all.Groups) == 0 && len(all.Resources) == 0 {
		d.tell("there is no group; %s submit --group NAME puts a task into one", d.program.Name)
	}
	for _, t := range []*table{groupTable(all.Groups), resourceTable(all.Resources)} {
		if len(t.rows) == 0 {
			continue
		}
		if err := t.print(os.Stdout, out); err != nil {
			return err
		}
	}
	return nil
}

// tell tells a person at a terminal something; a program reads it from the output.
func (d *driver) tell(format string, args ...any) {
	if terminalOf(os.Stderr).isTerminal() {
		fmt.Fprintf(safe(os.Stderr), "%s: %s\n", d.program.Name, fmt.Sprintf(format, args...))
	}
}

// allGroups answers all pages of groups as one.
func allGroups(ctx context.Context, c *client.Client) (all schema.GroupsResult, err error) {
	for p := (schema.GroupsParams{Limit: pageOfGroups}); ; {
		page, err := c.Groups(ctx, p)
		if err != nil {
			return all, err
		}
		page.Groups = append(all.Groups, page.Groups...)
		all = page
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return all, nil
		}
	}
}

func groupTable(groups []schema.Group) *table {
	t := &table{columns: []tableColumn{{title: "GROUP", least: 8}, {title: "LIMIT"}, {title: "RATE"}, {title: "PAUSED"}, {title: "RUNNING"}, {title: "READY"}, {title: "DEFAULTS", least: 10}}}
	for i := range groups {
		g := &groups[i]
		limit, rate, paused := "", "", ""
		if g.Limit > 0 {
			limit = strconv.Itoa(g.Limit)
		}
		if g.Rate != nil {
			rate = formatRate(*g.Rate)
		}
		if g.Paused {
			paused = "paused"
		}
		t.add(tableCell{text: g.Name}, tableCell{text: limit}, tableCell{text: rate}, tableCell{paused, yellow},
			tableCell{text: strconv.Itoa(g.Running)}, tableCell{text: strconv.Itoa(g.Ready)}, tableCell{text: defaultsText(g.Defaults)})
	}
	return t
}

func resourceTable(resources []schema.Resource) *table {
	t := &table{columns: []tableColumn{{title: "RESOURCE", least: 8}, {title: "TOTAL"}, {title: "USED"}}}
	for _, r := range resources {
		t.add(tableCell{text: r.Name}, tableCell{text: strconv.FormatInt(r.Total, 10)}, tableCell{text: strconv.FormatInt(r.Used, 10)})
	}
	return t
}

// setGroupOptions are the flags of groups set.
type setGroupOptions struct {
	driver
	limit int
	rate  schema.Rate
	// defaults are the changes of what its tasks get, each as the flag takes it.
	defaults []string
}

func (p *Program) setGroupCommand() *cobra.Command {
	o := &setGroupOptions{driver: p.driver()}
	c := &cobra.Command{
		Use:   "set GROUP",
		Short: "Set the limit, the rate and the defaults of a group",
		Long: "Set changes what its flags name, and leaves the rest of the group as it is. A durable store keeps it.\n" +
			"Tasks that run go on. Pause and resume are commands of their own.\n" +
			"--default says what a task of the group has where neither its submit nor its type says. It is given once for each\n" +
			"of these, as --default priority=5 --default timeout=10m --default expire=1h --default key=deploy\n" +
			"--default needs=gpu=1 --default on=gpu=a100 --default retry=3. What is not named stays; timeout=none takes one of them back, and none takes all back.",
		Example: p.driverExamples("groups set deploy --limit 1", "groups set mail --rate 100/1m", "groups set mail --limit none --rate none",
			"groups set tests --default retry=2 --default timeout=10m"),
		Args:              o.args,
		ValidArgsFunction: o.completeGroupArg,
		RunE: func(c *cobra.Command, args []string) error {
			params := o.params(c, args[0])
			return o.with(c, func(ctx context.Context, c *client.Client) error {
				if err := o.changeDefaults(ctx, c, &params); err != nil {
					return err
				}
				g, err := c.SetGroup(ctx, params)
				if err == nil && o.json {
					err = printJSONLine(os.Stdout, &g)
				}
				return inFlags("groups set", err, placeOfGroup)
			})
		},
	}
	o.driver.flags(c)
	f := c.Flags()
	f.Var(valueOrNone(&o.limit, parseLimit, "want a number of 1 or more, or none"), "limit", "how many tasks of the group run at once, or none for no limit")
	f.Var(valueOrNone(&o.rate, parseRate, "want COUNT/TIME, as 100/1m, or none"), "rate", "how many tasks of the group may begin within any time of a length, as 100/1m, or none for no limit")
	f.Var(groupDefaults(&o.defaults), "default", "what a task of the group has where neither its submit nor its type says, as retry=3; given again, several; none takes all back")
	complete(c, "default", completeDefault)
	complete(c, "limit", cobra.FixedCompletions([]string{"none"}, cobra.ShellCompDirectiveNoFileComp))
	complete(c, "rate", cobra.FixedCompletions([]string{"none"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o *setGroupOptions) args(c *cobra.Command, args []string) error {
	switch {
	case len(args) != 1:
		return usagef("groups set takes one group, it has %d", len(args))
	case args[0] == "":
		return usagef("groups set: the name of the group is empty; name one")
	case args[0] == noName:
		return usagef("groups set: %s is no name of a group: elsewhere it takes a name back; give another one", noName)
	case !c.Flags().Changed("limit") && !c.Flags().Changed("rate") && len(o.defaults) == 0:
		return usagef("groups set: what is to be set? give --limit, --rate or --default")
	}
	return nil
}

// params are what the flags set.
func (o *setGroupOptions) params(c *cobra.Command, name string) schema.SetGroupParams {
	p := schema.SetGroupParams{Name: name}
	if c.Flags().Changed("limit") {
		p.Limit = &o.limit
	}
	if c.Flags().Changed("rate") {
		p.Rate = &o.rate
	}
	return p
}

// changeDefaults sets in the params what the flags make of the defaults that the group has.
func (o *setGroupOptions) changeDefaults(ctx context.Context, c *client.Client, p *schema.SetGroupParams) error {
	if len(o.defaults) == 0 {
		return nil
	}
	all, err := allGroups(ctx, c)
	if err != nil {
		return err
	}
	p.Defaults = new(schema.GroupDefaults)
	if i := slices.IndexFunc(all.Groups, func(g schema.Group) bool { return g.Name == p.Name }); i >= 0 && all.Groups[i].Defaults != nil {
		*p.Defaults = *all.Groups[i].Defaults
	}
	for _, text := range o.defaults {
		if err := changeDefault(p.Defaults, text); err != nil {
			return err
		}
	}
	return nil
}

// valueOrNone is a flag for what parse reads, or the zero value as "none".
func valueOrNone[T any](to *T, parse func(string) (T, bool), want string) pflag.Value {
	return &flagValue[T]{to, func(text string) (value T, err error) {
		if text == "none" {
			return value, nil
		}
		value, ok := parse(text)
		if !ok {
			return value, errors.New(want)
		}
		return value, nil
	}, func(T) string { return "" }, "value"}
}

func parseLimit(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1
}

// parseRate reads a count and a time, as 100/1m. A time without a number is one of it.
func parseRate(text string) (schema.Rate, bool) {
	count, per, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || per == "" {
		return schema.Rate{}, false
	}
	d, err := parseSpan(per)
	if err != nil {
		d, err = parseSpan("1" + per)
	}
	if err != nil || d <= 0 || milliseconds(d) > executor.MaxMs {
		return schema.Rate{}, false
	}
	return schema.Rate{Count: n, PerMs: milliseconds(d)}, true
}

func formatRate(r schema.Rate) string {
	return fmt.Sprintf("%d/%s", r.Count, show.Exact(time.Duration(min(r.PerMs, math.MaxInt64/int64(time.Millisecond)))*time.Millisecond))
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// selection are the flags that select tasks by what they are.
type selection struct {
	command string // the command that has the flags, for messages
	states  []schema.State
	types   []string
	labels  []string
	owner   string
	group   string
	key     string
	from    string // the schedule
	on      string // the executor
}

// flags adds the flags to a command.
func (s *selection) flags(c *cobra.Command, d *driver) {
	f := c.Flags()
	f.Var(states(&s.states), "state", "only tasks in one of these states, with commas between: queued, running, completed, failed, cancelled")
	f.StringSliceVar(&s.types, "type", nil, "only tasks of one of these types, with commas between")
	f.StringArrayVar(&s.labels, "label", nil, "only tasks that have the label, as KEY=VALUE; given again, all of them")
	f.StringVar(&s.owner, "owner", "", "only tasks that the client of this name, in any case, has submitted")
	f.Var(nonEmpty(&s.group), "group", "only tasks of the group")
	f.Var(nonEmpty(&s.key), "key", "only tasks of the key")
	f.Var(nonEmpty(&s.from), "schedule", "only tasks of the schedule")
	f.Var(nonEmpty(&s.on), "executor", "only tasks that this executor, or one on the host of this name, runs or had when they ended; of a store at nats://")
	complete(c, "executor", func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return d.completeExecutor(c, nil, word)
	})
	complete(c, "state", cobra.FixedCompletions(schema.StateNames[:], cobra.ShellCompDirectiveNoFileComp))
	complete(c, "type", d.completeType)
	complete(c, "label", d.completeLabel)
	complete(c, "owner", d.completeOwner)
	complete(c, "group", d.completeGroup)
	complete(c, "key", d.completeKey)
	complete(c, "schedule", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return d.completeSchedule(c, nil, word)
	})
}

// given reports whether anything is selected.
func (s *selection) given() bool {
	return len(s.states) > 0 || len(s.types) > 0 || len(s.labels) > 0 || s.owner != "" || s.group != "" || s.key != "" || s.from != "" || s.on != ""
}

// params are the params of a list of the selected tasks.
func (s *selection) params() (p schema.ListParams, err error) {
	p = schema.ListParams{States: s.states, Types: s.types, Group: s.group, Key: s.key, Executor: s.on}
	labels, err := labelsOf(s.command, s.labels)
	if err != nil {
		return p, err
	}
	for key, value := range map[string]string{show.OwnerLabel: s.owner, executor.ScheduleLabel: s.from} {
		if value == "" {
			continue
		}
		if labels == nil {
			labels = map[string]string{}
		}
		if _, given := labels[key]; !given {
			labels[key] = value
		}
	}
	p.Labels = labels
	return p, nil
}

// noOwnerError says that a client has submitted no task.
type noOwnerError struct {
	name  string
	known []string // names of those that have
}

func (e *noOwnerError) Error() string {
	if len(e.known) == 0 {
		return fmt.Sprintf("no client %q has submitted a task", e.name)
	}
	return fmt.Sprintf("no client %q has submitted a task; those that have are %s", e.name, strings.Join(e.known, ", "))
}

// nameOwner puts the owner of a list right that a person has written in another case. It looks
// for it among those of the newest tasks.
func (s *selection) nameOwner(ctx context.Context, c *client.Client, p *schema.ListParams) error {
	if s.owner == "" {
		return nil
	}
	known, err := collect(listed(ctx, c, schema.ListParams{Labels: map[string]string{show.OwnerLabel: s.owner}, Limit: 1}), 1)
	if err != nil || len(known) > 0 {
		return err
	}
	newest, err := collect(listed(ctx, c, schema.ListParams{Limit: pageOfTasks}), pageOfTasks)
	if err != nil {
		return err
	}
	owners := map[string]bool{}
	for i := range newest {
		if owner := newest[i].Labels[show.OwnerLabel]; owner != "" {
			owners[owner] = true
		}
	}
	names := slices.Sorted(maps.Keys(owners))
	if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, s.owner) }); i >= 0 {
		p.Labels = maps.Clone(p.Labels)
		p.Labels[show.OwnerLabel] = names[i]
		return nil
	}
	return &noOwnerError{s.owner, names}
}

// states is a flag for several states, with commas between; given again it adds to
// those before.
func states(to *[]schema.State) pflag.Value {
	return &flagValue[[]schema.State]{to, func(text string) ([]schema.State, error) {
		all := *to
		for name := range strings.SplitSeq(text, ",") {
			var s schema.State
			if s.UnmarshalText([]byte(name)) != nil {
				return nil, wantOneOf(name, schema.StateNames[:])
			}
			all = append(all, s)
		}
		return all, nil
	}, func([]schema.State) string { return "" }, "states"}
}

// moment is a flag for a time, given as how long ago it was, as 2h, or as a date with
// or without a time.
func moment(to *schema.Time) pflag.Value {
	return &flagValue[schema.Time]{to, func(text string) (schema.Time, error) {
		if t, ok := parseMoment(text, time.Now()); ok {
			if _, err := parseSpan(text); err == nil || hasZone(text) {
				return t, nil
			}
			return t, zoneError()
		}
		return 0, errors.New("want how long ago, as 10m or 2d, or a time, as 2026-01-31 or 2026-01-31T15:04:05Z")
	}, func(schema.Time) string { return "" }, "time"}
}

// parseMoment reads a time.
func parseMoment(text string, now time.Time) (schema.Time, bool) {
	if d, err := parseSpan(text); err == nil && d >= 0 {
		return schema.TimeOf(now.Add(-d)), true
	}
	if t, ok := parseDate(text, time.Local); ok {
		return schema.TimeOf(t), true
	}
	return 0, false
}

// parseDate reads a date with or without a time. Without a zone it is a time of the place, as
// schedule.Instant.
func parseDate(text string, place *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		t, err := time.Parse(layout, text)
		switch {
		case err != nil:
		case layout == time.RFC3339:
			return t, true
		default:
			return schedule.Instant(t, place), true
		}
	}
	return time.Time{}, false
}

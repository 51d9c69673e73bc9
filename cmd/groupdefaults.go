package cmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file has what groups give to their tasks, as a flag and as text.

// groupDefaults is a flag for what a group gives to its tasks, as NAME=VALUE; given again it adds to
// those before. The word none is nothing.
func groupDefaults(to **schema.GroupDefaults) pflag.Value {
	return &flagValue[*schema.GroupDefaults]{to, func(text string) (*schema.GroupDefaults, error) {
		d := new(schema.GroupDefaults)
		if text == "none" {
			return d, nil
		}
		if *to != nil {
			*d = **to
		}
		name, value, _ := strings.Cut(text, "=")
		for i := range defaultNames {
			if defaultNames[i].name == name {
				return d, defaultNames[i].parse(d, value)
			}
		}
		return nil, errors.New("want NAME=VALUE, with NAME one of priority, timeout, expire, key, needs and retry, or none")
	}, func(*schema.GroupDefaults) string { return "" }, "default"}
}

// defaultNames are what a group can give to its tasks. format answers the empty text for nothing.
var defaultNames = []struct {
	name   string
	parse  func(d *schema.GroupDefaults, value string) error
	format func(d *schema.GroupDefaults) string
}{
	{"priority", func(d *schema.GroupDefaults, value string) (err error) {
		if d.Priority, err = strconv.Atoi(value); err != nil || d.Priority < executor.MinPriority || d.Priority > executor.MaxPriority {
			return fmt.Errorf("want a priority from %d to %d, as priority=10", executor.MinPriority, executor.MaxPriority)
		}
		return nil
	}, func(d *schema.GroupDefaults) string {
		if d.Priority == 0 {
			return ""
		}
		return strconv.Itoa(d.Priority)
	}},
	{"timeout", func(d *schema.GroupDefaults, value string) error {
		return parseDefaultSpan(&d.TimeoutMs, "timeout", value)
	},
		func(d *schema.GroupDefaults) string { return formatDefaultSpan(d.TimeoutMs) }},
	{"expire", func(d *schema.GroupDefaults, value string) error {
		return parseDefaultSpan(&d.ExpireMs, "expire", value)
	},
		func(d *schema.GroupDefaults) string { return formatDefaultSpan(d.ExpireMs) }},
	{"key", func(d *schema.GroupDefaults, value string) error { return nonEmpty(&d.Key).Set(value) },
		func(d *schema.GroupDefaults) string { return d.Key }},
	{"needs", func(d *schema.GroupDefaults, value string) error { return amounts(&d.Needs).Set(value) },
		func(d *schema.GroupDefaults) string { return show.Needs(d.Needs) }},
	{"retry", func(d *schema.GroupDefaults, value string) error {
		more, err := parseRetries(value)
		if err == nil {
			d.Retry = &schema.Retry{MaxAttempts: int32(*more) + 1}
		}
		return err
	}, func(d *schema.GroupDefaults) string {
		if d.Retry == nil {
			return ""
		}
		return strconv.Itoa(int(d.Retry.MaxAttempts) - 1)
	}},
}

// completeDefault completes the names of defaults.
func completeDefault(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := []string{"none"}
	for i := range defaultNames {
		names = append(names, defaultNames[i].name+"=")
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func parseDefaultSpan(to *int64, name, value string) error {
	d, err := parseSpan(value)
	if err != nil || d <= 0 || milliseconds(d) > executor.MaxMs {
		return fmt.Errorf("want a time, as %s=10m", name)
	}
	*to = milliseconds(d)
	return nil
}

func formatDefaultSpan(ms int64) string {
	if ms == 0 {
		return ""
	}
	return show.Exact(time.Duration(ms) * time.Millisecond)
}

// defaultsText is what a group gives to its tasks, as the flag takes it.
func defaultsText(d *schema.GroupDefaults) string {
	if d == nil {
		return ""
	}
	var words []string
	for i := range defaultNames {
		if value := defaultNames[i].format(d); value != "" {
			words = append(words, defaultNames[i].name+"="+value)
		}
	}
	return strings.Join(words, " ")
}

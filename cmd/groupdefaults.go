package cmd

import (
	"errors"
	"fmt"
	"slices"
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

// groupDefaults is a flag for changes of what a group gives to its tasks, each as changeDefault
// takes it.
func groupDefaults(to *[]string) pflag.Value {
	return &flagValue[[]string]{to, func(text string) ([]string, error) {
		return append(slices.Clone(*to), text), changeDefault(new(schema.GroupDefaults), text)
	}, func([]string) string { return "" }, "default"}
}

// changeDefault changes one of the defaults, as NAME=VALUE says. NAME=none takes it back, and none
// takes all back.
func changeDefault(d *schema.GroupDefaults, text string) error {
	if text == noName {
		*d = schema.GroupDefaults{}
		return nil
	}
	name, value, _ := strings.Cut(text, "=")
	for i := range defaultNames {
		switch n := &defaultNames[i]; {
		case n.name != name:
		case value == noName:
			n.remove(d)
			return nil
		default:
			return n.parse(d, value)
		}
	}
	return errors.New("want NAME=VALUE, with NAME one of priority, timeout, expire, key, needs, on and retry, or none")
}

// defaultNames are what a group can give to its tasks. format answers the empty text for nothing.
var defaultNames = []struct {
	name   string
	parse  func(d *schema.GroupDefaults, value string) error
	format func(d *schema.GroupDefaults) string
	remove func(d *schema.GroupDefaults)
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
	}, func(d *schema.GroupDefaults) { d.Priority = 0 }},
	{"timeout", func(d *schema.GroupDefaults, value string) error {
		return parseDefaultSpan(&d.TimeoutMs, "timeout", value)
	},
		func(d *schema.GroupDefaults) string { return formatDefaultSpan(d.TimeoutMs) }, func(d *schema.GroupDefaults) { d.TimeoutMs = 0 }},
	{"expire", func(d *schema.GroupDefaults, value string) error {
		return parseDefaultSpan(&d.ExpireMs, "expire", value)
	},
		func(d *schema.GroupDefaults) string { return formatDefaultSpan(d.ExpireMs) }, func(d *schema.GroupDefaults) { d.ExpireMs = 0 }},
	{"key", func(d *schema.GroupDefaults, value string) error {
		if value == "" {
			return errors.New("want the name of a key, as key=deploy")
		}
		return nonEmpty(&d.Key).Set(value)
	},
		func(d *schema.GroupDefaults) string { return d.Key }, func(d *schema.GroupDefaults) { d.Key = "" }},
	{"needs", func(d *schema.GroupDefaults, value string) error { return amounts(&d.Needs).Set(value) },
		func(d *schema.GroupDefaults) string { return show.Needs(d.Needs) }, func(d *schema.GroupDefaults) { d.Needs = nil }},
	{"on", func(d *schema.GroupDefaults, value string) error {
		d.On = nil // the labels are one requirement, as in update
		return places(&d.On).Set(value)
	}, func(d *schema.GroupDefaults) string { return show.PlacesFlag(d.On) }, func(d *schema.GroupDefaults) { d.On = nil }},
	{"retry", func(d *schema.GroupDefaults, value string) error {
		more, err := parseRetries(value)
		if err != nil {
			return fmt.Errorf("%w, as retry=3", err)
		}
		d.Retry = &schema.Retry{MaxAttempts: int32(*more) + 1}
		return nil
	}, func(d *schema.GroupDefaults) string {
		if d.Retry == nil {
			return ""
		}
		return strconv.Itoa(int(d.Retry.MaxAttempts) - 1)
	}, func(d *schema.GroupDefaults) { d.Retry = nil }},
}

// completeDefault completes the names of defaults.
func completeDefault(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := []string{noName}
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

// placeOfGroup names the flag, or the default, that a violation in the params of a group is of.
func placeOfGroup(pointer string) string {
	for member, place := range map[string]string{
		"/limit": "--limit", "/rate": "--rate", "/defaults/priority": "--default priority", "/defaults/timeoutMs": "--default timeout",
		"/defaults/expireMs": "--default expire", "/defaults/key": "--default key", "/defaults/needs": "--default needs", "/defaults/on": "--default on", "/defaults/retry": "--default retry",
	} {
		if pointer == member || strings.HasPrefix(pointer, member+"/") {
			return place
		}
	}
	return pointer
}

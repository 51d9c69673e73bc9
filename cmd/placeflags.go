package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// places is a flag for labels by which tasks find executors, as KEY=VALUE with commas between; given
// again it adds to those before.
func places(to *map[string]string) pflag.Value {
	return &flagValue[map[string]string]{to, func(text string) (map[string]string, error) {
		all := map[string]string{}
		maps.Copy(all, *to)
		for part := range strings.SplitSeq(text, ",") {
			name, value, found := strings.Cut(part, "=")
			if !found || name == "" || value == "" {
				return nil, fmt.Errorf("%q is not KEY=VALUE, as gpu=a100; commas stand between several", part)
			}
			if other, twice := all[name]; twice && other != value {
				return nil, fmt.Errorf("%s is there twice, as %q and as %q; give it one value", name, other, value)
			}
			all[name] = value
		}
		return all, executor.CheckPlaces(all)
	}, func(map[string]string) string { return "" }, "KEY=VALUE"}
}

// placesOrNone is such a flag that none takes back, so that a task runs anywhere.
func placesOrNone(to *map[string]string) pflag.Value {
	return &flagValue[map[string]string]{to, func(text string) (map[string]string, error) {
		if text == noName {
			return map[string]string{}, nil
		}
		all := maps.Clone(*to)
		err := places(&all).Set(text)
		return all, err
	}, func(map[string]string) string { return "" }, "KEY=VALUE"}
}

// executorName is a flag for the name of a server; "" is that of its process.
func executorName(to *string) pflag.Value {
	return &flagValue[string]{to, func(text string) (string, error) {
		return text, executor.CheckExecutorName(text)
	}, func(name string) string { return name }, "NAME"}
}

// knownExecutors are the executors, for completion; none where they cannot be asked for.
func (d *driver) knownExecutors() []schema.ExecutorInfo {
	var all schema.ExecutorsResult
	ctx, stop := context.WithTimeout(context.Background(), completionTime)
	defer stop()
	d.ask(ctx, func(c *client.Client) { all, _ = c.Executors(ctx) })
	return all.Executors
}

// completeOn completes the labels of executors.
func (d *driver) completeOn(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	counts := map[string]int{}
	for _, e := range d.knownExecutors() {
		for name, value := range e.Labels {
			if label := name + "=" + value; show.Line(label) == label { // or it cannot be typed
				counts[label]++
			}
		}
	}
	var found []string
	for _, label := range slices.Sorted(maps.Keys(counts)) {
		found = append(found, fmt.Sprintf("%s\t%d here", label, counts[label]))
	}
	return startingWith(found, word), cobra.ShellCompDirectiveNoFileComp
}

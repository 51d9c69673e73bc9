package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/schema"
)

// dedupeFlags are the flags that say what a submit does while there is a task with the same
// dedupe key.
type dedupeFlags struct {
	key    string
	on     schema.DedupeOn
	window time.Duration
}

func (o *dedupeFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.Var(nonEmpty(&o.key), "dedupe", "submit no second task of this name while one has not ended; --dedupe-on says what is done in its place")
	f.Var(dedupeOn(&o.on), "dedupe-on", "where there is a task of the name already: reuse takes that one in place of this one, reject refuses this one, replace cancels that one and runs this one after its end")
	f.Var(span(&o.window, 0, 0), "dedupe-for", "with reuse and reject, a task of the name that has completed counts for so long after its end, as long as it is kept")
	complete(c, "dedupe", cobra.NoFileCompletions)
	complete(c, "dedupe-on", cobra.FixedCompletions(dedupeNames(), cobra.ShellCompDirectiveNoFileComp))
	complete(c, "dedupe-for", cobra.NoFileCompletions)
}

// check refuses flags that say nothing without the name, or together.
func (o *dedupeFlags) check(command string) error {
	switch {
	case o.key == "" && o.on != "":
		return usagef("%s: --dedupe-on says what becomes of duplicates, and --dedupe NAME which they are; give both", command)
	case o.key == "" && o.window != 0:
		return usagef("%s: --dedupe-for says how long a task counts, and --dedupe NAME which; give both", command)
	case o.on == schema.DedupeReplace && o.window != 0:
		return usagef("%s: --dedupe-for says how long a task counts that has ended, and nothing of it is left to replace; leave one of the two out", command)
	}
	return nil
}

// of is what the flags say, or nil.
func (o *dedupeFlags) of() *schema.Dedupe {
	if o.key == "" {
		return nil
	}
	return &schema.Dedupe{Key: o.key, On: o.on, WindowMs: milliseconds(o.window)}
}

// dedupeNames are the values of --dedupe-on.
func dedupeNames() (names []string) {
	for _, on := range schema.DedupeOns {
		names = append(names, string(on))
	}
	return names
}

// dedupeOn is a flag for what becomes of duplicates.
func dedupeOn(to *schema.DedupeOn) *flagValue[schema.DedupeOn] {
	return &flagValue[schema.DedupeOn]{to, func(text string) (schema.DedupeOn, error) {
		for _, on := range schema.DedupeOns {
			if string(on) == text {
				return on, nil
			}
		}
		return "", fmt.Errorf("want one of %s", strings.Join(dedupeNames(), ", "))
	}, func(schema.DedupeOn) string { return "" }, "name"}
}

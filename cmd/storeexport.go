package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/sqlite"
	"github.com/jobline/jobline/schema"
)

func (p *Program) storeExportCommand() *cobra.Command {
	var filter executor.Filter
	c := &cobra.Command{
		Use:   "export FILE",
		Short: "Print every task of a store as a line of JSON",
		Long: "Export prints tasks as one line of JSON each, with their inputs, as status answers them, the\n" +
			"oldest first. Those that are damaged are named on stderr and left out, with exit code 1.",
		Example:           "  " + p.Name + " store export tasks.db --states failed --since 2026-01-31T00:00:00Z",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			found := findingsTo(os.Stderr)
			out := bufio.NewWriterSize(os.Stdout, exportBuffer)
			err := sqlite.Export(c.Context(), args[0], filter, func(t *schema.Task) error {
				line, err := json.Marshal(t, json.Deterministic(true))
				if err == nil {
					_, err = out.Write(append(line, '\n'))
				}
				return err
			}, found.print)
			if err = errors.Join(err, out.Flush()); err != nil {
				return storeFault(c, err)
			}
			if found.n > 0 {
				fmt.Fprintf(os.Stderr, "%s: store export: left out: %s\n", p.Name, counted(found.n, "damaged task"))
			}
			return found.end()
		},
	}
	f := c.Flags()
	f.Var(states(&filter.States), "states", "only tasks in these states, with commas between: "+strings.Join(schema.StateNames[:], ","))
	complete(c, "states", cobra.FixedCompletions(schema.StateNames[:], cobra.ShellCompDirectiveNoFileComp))
	f.Var(moment(&filter.Since), "since", "only tasks submitted at this time or later, as 2026-01-31T00:00:00Z")
	f.Var(moment(&filter.Until), "until", "only tasks submitted before this time")
	return c
}

// exportBuffer is how many bytes are written at a time.
const exportBuffer = 64 << 10

// states is a flag for states with commas between.
func states(to *[]schema.State) pflag.Value {
	return &flagValue[[]schema.State]{to, func(text string) (found []schema.State, err error) {
		for name := range strings.SplitSeq(text, ",") {
			var s schema.State
			if err := s.UnmarshalText([]byte(name)); err != nil {
				return nil, fmt.Errorf("want some of %s%s", strings.Join(schema.StateNames[:], ", "), maybeMeant(name, schema.StateNames[:]))
			}
			found = append(found, s)
		}
		return found, nil
	}, func(some []schema.State) string {
		names := make([]string, len(some))
		for i, s := range some {
			names[i] = s.String()
		}
		return strings.Join(names, ",")
	}, "states"}
}

// moment is a flag for a point in time.
func moment(to *schema.Time) pflag.Value {
	return &flagValue[schema.Time]{to, func(text string) (at schema.Time, err error) {
		if at.UnmarshalText([]byte(text)) != nil {
			err = errors.New("want an RFC 3339 time, as 2026-01-31T00:00:00Z")
		}
		return at, err
	}, func(at schema.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.String()
	}, "time"}
}

package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/schema"
)

// exportOptions are the flags of store export.
type exportOptions struct {
	filter  executor.Filter
	labels  []string
	outputs bool
	// settings are printed in place of tasks.
	settings bool
	creds    string
}

func (p *Program) storeExportCommand() *cobra.Command {
	o := &exportOptions{}
	c := &cobra.Command{
		Use:   "export FILE|URL",
		Short: "Print every task of a store as a line of JSON",
		Long: "Export prints tasks as one line of JSON each, with their inputs, as status answers them, the\n" +
			"oldest first. All that is given must hold, as with the method list. Those that are damaged are\n" +
			"named on stderr and left out, with exit code 1. With --output a task has a member output: of each\n" +
			"stream that has any what is kept, as the method output answers it.\n" +
			"With --settings it prints the groups and the schedules in place of tasks, each as an object with the member group\n" +
			"or schedule. URL is that of a namespace, as serve --store takes it; all of that is read into memory.",
		Example: "  " + p.Name + " store export tasks.db --state failed --since 2026-01-31T00:00:00Z\n" +
			"  " + p.Name + " store export tasks.db --type exec --label team=red --output",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.settings {
				return o.exportSettings(c, args[0])
			}
			return o.export(c, p, args[0])
		},
	}
	f := c.Flags()
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		switch name { // as the members of list are named
		case "states", "types", "labels":
			name = strings.TrimSuffix(name, "s")
		}
		return pflag.NormalizedName(name)
	})
	f.Var(statesFlag(&o.filter.States), "state", "only tasks in these states, with commas between: "+strings.Join(schema.StateNames[:], ","))
	complete(c, "state", cobra.FixedCompletions(schema.StateNames[:], cobra.ShellCompDirectiveNoFileComp))
	f.StringSliceVar(&o.filter.Types, "type", nil, "only tasks of these types, by name or alias, with commas between")
	complete(c, "type", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return p.typeNames(), cobra.ShellCompDirectiveNoFileComp
	})
	f.StringArrayVar(&o.labels, "label", nil, "only tasks with this label, as KEY=VALUE")
	f.Var(timeFlag(&o.filter.Since), "since", "only tasks submitted at this time or later, as 2026-01-31T08:30:00Z or 2026-01-31")
	f.Var(timeFlag(&o.filter.Until), "until", "only tasks submitted before this time")
	f.BoolVar(&o.outputs, "output", false, "print what the tasks have written, too")
	credsFlag(c, &o.creds)
	f.BoolVar(&o.settings, "settings", false, "print groups and schedules in place of tasks")
	return c
}

// selection makes the filter of the flags.
func (o *exportOptions) selection(p *Program) (filter executor.Filter, err error) {
	filter = o.filter
	if filter.Labels, err = labelsOf("store export", o.labels); err != nil {
		return filter, err
	}
	infos, err := p.typeInfos(nil)
	if err != nil {
		return filter, err
	}
	for i, name := range filter.Types { // a store may have types that this program has not
		for _, info := range infos {
			if slices.Contains(info.Aliases, name) {
				filter.Types[i] = info.Name
			}
		}
	}
	return filter, nil
}

func (o *exportOptions) export(c *cobra.Command, p *Program, file string) error {
	filter, err := o.selection(p)
	if err != nil {
		return err
	}
	at, err := namespaceOf(c, file, o.creds)
	if err != nil {
		return err
	}
	found := newFindings(os.Stderr)
	out := bufio.NewWriterSize(os.Stdout, exportBuffer)
	one := func(t *schema.Task) error { return exportLine(out, t) }
	withOutput := func(t *schema.Task, all *inspect.Outputs) error {
		if !o.outputs {
			return one(t)
		}
		return exportLine(out, &taskWithOutput{t, outputsOf(all)})
	}
	switch {
	case at != nil:
		err = exportNamespace(c, *at, o.creds, filter, withOutput)
	case o.outputs:
		err = inspect.ExportOutputs(c.Context(), file, filter, withOutput, found.print)
	default:
		err = inspect.Export(c.Context(), file, filter, one, found.print)
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		return storeFault(c, err)
	}
	if found.n > 0 {
		fmt.Fprintf(os.Stderr, "%s: store export: left out: %s\n", p.Name, counted(found.n, "damaged task"))
	}
	return found.end()
}

// exportSettings prints the groups and the schedules.
func (o *exportOptions) exportSettings(c *cobra.Command, file string) error {
	for _, name := range []string{"state", "type", "label", "since", "until", "output"} {
		if c.Flags().Changed(name) {
			return usagef("store export: --%s is of tasks, and --settings prints none; leave one of the two out", name)
		}
	}
	at, err := namespaceOf(c, file, o.creds)
	if err != nil {
		return err
	}
	found := newFindings(os.Stderr)
	out := bufio.NewWriterSize(os.Stdout, exportBuffer)
	one := func(s *inspect.Setting) error { return exportLine(out, s) }
	if at != nil {
		err = exportNamespaceSettings(c, *at, o.creds, one)
	} else {
		err = inspect.ExportSettings(c.Context(), file, one, found.print)
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		return storeFault(c, err)
	}
	return found.end()
}

// taskWithOutput is a line of an export with outputs.
type taskWithOutput struct {
	*schema.Task
	Output map[string]schema.OutputResult `json:"output"`
}

// outputsOf are the streams that have anything, by name.
func outputsOf(all *inspect.Outputs) map[string]schema.OutputResult {
	found := map[string]schema.OutputResult{}
	for i := range all {
		piece := &all[i]
		if piece.Total == 0 {
			continue
		}
		data, encoding := schema.EncodeOutput(piece.Data)
		found[schema.Stream(i).String()] = schema.OutputResult{
			Data: data, Encoding: encoding, Offset: piece.Offset, NextOffset: piece.Offset + int64(len(piece.Data)),
			EOF: piece.Final, TruncatedBefore: piece.First,
		}
	}
	return found
}

// exportLine writes a value as one line.
func exportLine(out *bufio.Writer, value any) error {
	line, err := json.Marshal(value, json.Deterministic(true))
	if err == nil {
		_, err = out.Write(append(show.EscapeJSON(line), '\n'))
	}
	return err
}

// exportBuffer is how many bytes are written at a time.
const exportBuffer = 64 << 10

// statesFlag is a flag for states with commas between.
func statesFlag(to *[]schema.State) pflag.Value {
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

// timeFlag is a flag for a point in time.
func timeFlag(to *schema.Time) pflag.Value {
	return &flagValue[schema.Time]{to, func(text string) (at schema.Time, err error) {
		if _, dateErr := time.Parse(time.DateOnly, text); dateErr == nil {
			text += "T00:00:00Z"
		}
		if at.UnmarshalText([]byte(text)) != nil {
			err = errors.New("want an RFC 3339 time, as 2026-01-31T08:30:00+01:00, or a date, which begins at 00:00 UTC")
		}
		return at, err
	}, func(at schema.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.String()
	}, "time"}
}

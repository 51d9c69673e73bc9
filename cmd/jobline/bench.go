package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	runs  int
	tasks int
	only  []string
	store string
	json  bool
}

// A benchmark measures something once, and records what it finds.
type benchmark struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

// benchmarks are all there are, in the order of the table.
var benchmarks = []benchmark{
	{"noop", "pipelined noop tasks on one connection, next to an echo of the same lines", benchNoop},
	{"latency", "one noop task at a time, next to the echo's round trip", benchLatency},
	{"status", "status requests while noop tasks keep the server busy", benchStatus},
	{"exec", "the command true, next to a loop that only starts it", benchExec},
	{"memory", "tasks queued behind others: their memory, and the time to run them", benchMemory},
	{"finished", "the memory of tasks that are finished and kept", benchFinished},
	{"store", "the durable store, next to a loop that only writes and syncs", benchStore},
	{"start", "the time to the first reply, and an idle server", benchStart},
}

func benchNames() []string {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	return names
}

func benchCommand() *cobra.Command {
	o := &benchOptions{}
	var about strings.Builder
	for _, b := range benchmarks {
		fmt.Fprintf(&about, "\n  %-9s %s", b.name, b.about)
	}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this program on this machine",
		Long: "Bench spawns servers of this program and measures them over their pipes. What it compares is\n" +
			"measured in turns, so that both meet the same weather.\n" + about.String(),
		Args: benchArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.bench(c) },
	}
	f := c.Flags()
	f.Var(count(&o.runs, 5, 1), "runs", "how often each is measured; the table has the medians")
	f.Var(count(&o.tasks, 1_000_000, 100), "tasks", "tasks to queue for their memory; the others take a share of it")
	f.StringSliceVar(&o.only, "only", nil, "what to measure, with commas between: "+strings.Join(benchNames(), ", "))
	f.StringVar(&o.store, "store", "", "measure the durable store alone, in this directory: the system's temporary one where none is named")
	f.Lookup("store").NoOptDefVal = os.TempDir()
	f.BoolVar(&o.json, "json", false, "print JSON")
	complete(c, "only", cobra.FixedCompletions(benchNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// benchArgs refuses arguments. --store can be alone, so that what follows it
// is one.
func benchArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 && c.Flags().Changed("store") {
		return usagef("bench: the argument %q is of no flag; the directory of --store is given as --store=DIR", args[0])
	}
	return noArgs(c, args)
}

func (o *benchOptions) bench(c *cobra.Command) error {
	for _, name := range o.only {
		if !slices.Contains(benchNames(), name) {
			return usagef("bench: --only: nothing is named %q; %s", name,
				didYouMean(name, benchNames(), "there are "+strings.Join(benchNames(), ", ")))
		}
	}
	if o.store == "" && c.Flags().Changed("store") {
		return usagef("bench: --store is empty; name a directory, or write --store alone for the system's temporary one")
	}
	if o.store != "" {
		o.only = append(o.only, "store")
	}
	b := &bench{tasks: o.tasks, storeDir: o.store, progress: c.ErrOrStderr()}
	for run := range o.runs {
		for _, m := range benchmarks {
			if len(o.only) > 0 && !slices.Contains(o.only, m.name) {
				continue
			}
			fmt.Fprintf(b.progress, "run %d of %d: %s\n", run+1, o.runs, m.name)
			if err := m.run(c.Context(), b); err != nil {
				return fmt.Errorf("bench %s: %w", m.name, err)
			}
		}
	}
	if o.json {
		return b.printJSON(c.OutOrStdout())
	}
	return b.print(c.OutOrStdout())
}

// bench gathers what was measured.
type bench struct {
	tasks     int
	storeDir  string
	progress  io.Writer
	rows      []*benchRow
	latencies []int64 // ns, of all runs
}

// share is a part of the tasks, at least least.
func (b *bench) share(part, least int) int { return max(b.tasks/part, least) }

// benchRow is one number, measured once in every run. Without values it could
// not be measured, and has no other numbers either.
type benchRow struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median,omitzero"`
	Min    float64   `json:"min,omitzero"`
	Max    float64   `json:"max,omitzero"`
	Values []float64 `json:"values"`
}

// record adds a value to the row of a name. One that is not above 0, or not
// finite, was too small for what measures it, and only makes sure of the row.
func (b *bench) record(name, unit string, value float64) {
	i := slices.IndexFunc(b.rows, func(r *benchRow) bool { return r.Name == name })
	if i < 0 {
		i = len(b.rows)
		b.rows = append(b.rows, &benchRow{Name: name, Unit: unit, Values: []float64{}})
	}
	if !(value > 0) || math.IsInf(value, 1) {
		return
	}
	r := b.rows[i]
	r.Values = append(r.Values, value)
	sorted := slices.Sorted(slices.Values(r.Values))
	r.Min, r.Max = sorted[0], sorted[len(sorted)-1]
	r.Median = (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (b *bench) printJSON(w io.Writer) error {
	text, err := json.MarshalIndent(struct {
		Build     buildInfo   `json:"build"`
		CPUs      int         `json:"cpus"`
		Rows      []*benchRow `json:"rows"`
		Histogram []bucket    `json:"latencyHistogram,omitempty"`
	}{buildVersion(), benchLimit, b.rows, histogram(b.latencies)}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Options say what is measured.
type Options struct {
	Runs     int       // how often each is measured
	Tasks    int       // to queue for their memory; the others take a share of it
	Only     []string  // what is measured; everything where it is empty
	StoreDir string    // where stores are made; the system's temporary directory where it is empty
	Progress io.Writer // is told of each measurement before it begins
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

// Names are the names of all that can be measured.
func Names() []string {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	return names
}

// About describes all that can be measured, a line each.
func About() string {
	var b strings.Builder
	for _, m := range benchmarks {
		fmt.Fprintf(&b, "\n  %-9s %s", m.name, m.about)
	}
	return b.String()
}

// Run measures, and returns what it has found. The program that calls it must
// be jobline's command line with the hidden command bench-echo, which is Echo.
func Run(ctx context.Context, o Options) (*Report, error) {
	b := &bench{tasks: o.Tasks, storeDir: o.StoreDir}
	for run := range o.Runs {
		for _, m := range benchmarks {
			if len(o.Only) > 0 && !slices.Contains(o.Only, m.name) {
				continue
			}
			fmt.Fprintf(o.Progress, "run %d of %d: %s\n", run+1, o.Runs, m.name)
			if err := m.run(ctx, b); err != nil {
				return nil, fmt.Errorf("bench %s: %w", m.name, err)
			}
		}
	}
	return &Report{b}, nil
}

// Report is what was measured.
type Report struct{ bench *bench }

// Print prints a title, a table, and the histogram of the latencies.
func (r *Report) Print(w io.Writer, title string) error {
	if _, err := fmt.Fprintf(w, "%s, %d CPUs\n\n", title, benchLimit); err != nil {
		return err
	}
	return r.bench.print(w)
}

// PrintJSON prints one JSON object, with build as its first member.
func (r *Report) PrintJSON(w io.Writer, build any) error { return r.bench.printJSON(w, build) }

// bench gathers what was measured.
type bench struct {
	tasks     int
	storeDir  string
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

func (b *bench) printJSON(w io.Writer, build any) error {
	text, err := json.MarshalIndent(struct {
		Build     any         `json:"build"`
		CPUs      int         `json:"cpus"`
		Rows      []*benchRow `json:"rows"`
		Histogram []bucket    `json:"latencyHistogram,omitempty"`
	}{build, benchLimit, b.rows, histogram(b.latencies)}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say what is measured.
type Options struct {
	Runs     int       // how often each is measured
	Tasks    int       // to queue for their memory; the others take a share of it
	Only     []string  // what is measured; everything where it is empty
	Against  string    // another program's file, which is measured in turns with this one; none where it is empty
	StoreDir string    // where stores are made; the system's temporary directory where it is empty
	Shared   *Shared   // where a shared store is measured; nil where none is
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
	{"status", "status requests among noop tasks and commands, in memory and with a store", benchStatus},
	{"exec", "the command true, in memory and with a store, next to a loop that only starts it", benchExec},
	{"memory", "tasks queued behind others: their memory, and the time to run them", benchMemory},
	{"queued", "the memory of a fifth as many queued tasks, in memory and with a store", benchQueued},
	{"finished", "the memory of tasks that are finished and kept", benchFinished},
	{"store", "the durable store, next to a loop that only writes and syncs", benchStore},
	{"shared", "a queue in NATS, next to bare messages; only with --store nats://HOST,HOST,HOST/NAMESPACE", benchShared},
	{"connections", "connections on a socket, next to the same load over pipes", benchConnections},
	{"driver", "the command line: a submit, the start of the server, submits of many lines", benchDriver},
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
		fmt.Fprintf(&b, "\n  %-11s %s", m.name, m.about)
	}
	return b.String()
}

// Run measures, and returns what it has found. The program that calls it must
// be jobline's command line with the hidden commands bench-echo and bench-wait, which are Echo and Wait.
// The other program needs only the command serve and its flags.
func Run(ctx context.Context, o Options) (*Report, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	programs := []string{self}
	if o.Against != "" {
		other, err := filepath.Abs(o.Against)
		if err != nil {
			return nil, err
		}
		programs = append(programs, other)
	}
	report := &Report{compared: len(programs) > 1}
	for run := range o.Runs {
		for _, m := range benchmarks {
			if len(o.Only) > 0 && !slices.Contains(o.Only, m.name) {
				continue
			}
			fmt.Fprintf(o.Progress, "run %d of %d: %s\n", run+1, o.Runs, m.name)
			if err := report.round(ctx, o, m, programs, run%2 == 1); err != nil {
				return nil, fmt.Errorf("bench %s: %w", m.name, err)
			}
		}
	}
	return report, nil
}

// round measures each program once. Every other round begins with the last, so
// that none has the better place.
func (r *Report) round(ctx context.Context, o Options, m benchmark, programs []string, lastFirst bool) error {
	found := make([]*bench, len(programs))
	for i := range programs {
		if lastFirst {
			i = len(programs) - 1 - i
		}
		found[i] = &bench{program: programs[i], tasks: o.Tasks, storeDir: o.StoreDir, shared: o.Shared}
		if err := m.run(ctx, found[i]); err != nil {
			return err
		}
	}
	r.latencies = append(r.latencies, found[0].latencies...)
	if r.compared {
		r.add(found[0].figures, found[1].figures)
	} else {
		r.add(found[0].figures, nil)
	}
	return nil
}

// bench gathers what one benchmark finds out about one program in one round.
type bench struct {
	program   string // the file
	tasks     int
	storeDir  string
	shared    *Shared
	figures   []figure
	latencies []int64 // ns, for the histogram
}

// figure is one number.
type figure struct {
	name, unit string
	value      float64
}

// share is a part of the tasks, at least least.
func (b *bench) share(part, least int) int { return max(b.tasks/part, least) }

// record notes a figure, whose name no other of the same benchmark has.
func (b *bench) record(name, unit string, value float64) {
	b.figures = append(b.figures, figure{name, unit, value})
}

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/bench"
	"github.com/jobline/jobline/executor/store/nats"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	bench.Options
	json        bool
	connections bool
}

func (p *Program) benchCommand() *cobra.Command {
	o := &benchOptions{}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this program on this machine",
		Long: "Bench spawns servers of this program and measures them over their pipes. What it compares is\n" +
			"measured in turns, so that both meet the same weather. With --against another build of jobline is\n" +
			"measured in turns with this one, and the table has the ratio of each figure: ours divided by theirs,\n" +
			"the median, lowest and highest of the runs.\n" + bench.About(),
		Args: benchArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c, p.build()) },
	}
	f := c.Flags()
	f.Var(count(&o.Runs, 5, 1), "runs", "how often each is measured; the table has the medians")
	f.Var(count(&o.Tasks, 1_000_000, 100), "tasks", "tasks to queue for their memory; the others take a share of it")
	f.StringSliceVar(&o.Only, "only", nil, "what to measure, with commas between: "+strings.Join(bench.Names(), ", "))
	f.StringVar(&o.Against, "against", "", "the file of another build of jobline to compare this one with")
	f.StringVar(&o.StoreDir, "store", "", "measure the durable store alone, in this directory: the system's temporary one where none is named; or a queue in NATS, nats://HOST,HOST,HOST/NAMESPACE, with as many replicas as hosts")
	f.Lookup("store").NoOptDefVal = os.TempDir()
	f.BoolVar(&o.connections, "connections", false, "measure connections on a socket alone")
	f.BoolVar(&o.json, "json", false, "print JSON")
	complete(c, "only", cobra.FixedCompletions(bench.Names(), cobra.ShellCompDirectiveNoFileComp))
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

func (o *benchOptions) run(c *cobra.Command, build buildInfo) error {
	for _, name := range o.Only {
		if !slices.Contains(bench.Names(), name) {
			return usagef("bench: --only: nothing is named %q; %s", name,
				didYouMean(name, bench.Names(), "there are "+strings.Join(bench.Names(), ", ")))
		}
	}
	if o.Against == "" && c.Flags().Changed("against") {
		return usagef("bench: --against is empty; name the file of another build of jobline")
	}
	if o.Against != "" {
		path, err := filepath.Abs(o.Against) // a file, never a name to look for in PATH
		if err == nil {
			o.Against, err = exec.LookPath(path)
		}
		if err != nil {
			return usagef("bench: --against: %v; name the file of another build of jobline", err)
		}
	}
	if o.StoreDir == "" && c.Flags().Changed("store") {
		return usagef("bench: --store is empty; name a directory, or write --store alone for the system's temporary one")
	}
	switch {
	case nats.IsAddress(o.StoreDir):
		at, err := nats.ParseAddress(o.StoreDir)
		if err != nil {
			return usagef("bench: --store: %v", err)
		}
		o.Shared, o.StoreDir, o.Only = &bench.Shared{Address: at, Credentials: credentials("", false)}, "", append(o.Only, "shared")
	case o.StoreDir != "":
		o.Only = append(o.Only, "store")
	}
	if o.connections {
		o.Only = append(o.Only, "connections")
	}
	o.Progress = c.ErrOrStderr()
	report, err := bench.Run(c.Context(), o.Options)
	switch {
	case err != nil:
		return err
	case o.json:
		return report.PrintJSON(c.OutOrStdout(), build)
	}
	return report.Print(c.OutOrStdout(), fmt.Sprintf("%s %s, %s, %s", build.Program, build.Version, build.Go, build.Platform))
}

// benchEchoCommand is the program that bench measures the server against.
func benchEchoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench-echo [BYTES]...", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			var sizes []int
			for _, arg := range args {
				size, err := strconv.Atoi(arg)
				if err != nil || size < 1 {
					return fmt.Errorf("%q is not a number of bytes", arg)
				}
				sizes = append(sizes, size)
			}
			return bench.Echo(os.Stdin, os.Stdout, sizes...)
		},
	}
}

// benchWaitCommand is the command that bench cancels.
func benchWaitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench-wait ADDRESS", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return bench.Wait(args[0]) },
	}
}

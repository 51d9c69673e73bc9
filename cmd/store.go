package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/stdio"
)

func (p *Program) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Look after the store of serve --store",
		Long: "Store describes, checks, backs up and exports the file in which serve --store keeps tasks, and\n" +
			"prints what a task has written. All of it works while a server has the file, and changes nothing\n" +
			"in it. Init makes a namespace in NATS JetStream, where many machines have one queue. Info, check,\n" +
			"export and output look into that, too, and copy fills one with a file, or a file with one.",
		Args: knownCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(storeInfoCommand(), storeCheckCommand(), storeBackupCommand(), p.storeCopyCommand(), storeInitCommand(), p.storeExportCommand(), p.storeOutputCommand())
	return c
}

// fileArgs wants exactly the named arguments, none of them empty.
func fileArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s%s is missing; %s --help describes it", commandPrefix(c), names[len(args)], c.CommandPath())
		case len(args) > len(names):
			return usagef("%sit takes %s at most, it has %d: %q is one too many", commandPrefix(c), counted(len(names), "argument"), len(args), args[len(names)])
		}
		for i, arg := range args {
			if arg == "" {
				return usagef("%s%s is empty; give one", commandPrefix(c), names[i])
			}
		}
		return nil
	}
}

// completeFiles completes as many files as there are arguments.
func completeFiles(n int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// findings counts the findings that it prints.
type findings struct {
	to   io.Writer
	n    int
	json bool // a line of JSON each
}

func (f *findings) print(finding inspect.Finding) {
	f.n++
	if !f.json {
		fmt.Fprintln(f.to, finding)
		return
	}
	e := json.NewEncoder(f.to)
	e.SetEscapeHTML(false)
	_ = e.Encode(finding) // as Fprintln, which is not asked either
}

// end is an exit code as an error where there were findings, and else nil.
func (f *findings) end() error {
	if f.n > 0 {
		return exitCode(stdio.ExitFault)
	}
	return nil
}

// storeFault adds the name of the command to an error.
func storeFault(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%w", commandPrefix(c), err)
}

// newFindings prints findings to f. They quote the content of a file, so they are
// escaped on a terminal.
func newFindings(f *os.File) *findings { return &findings{to: safe(f)} }

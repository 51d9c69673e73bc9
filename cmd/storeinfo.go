package cmd

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

func storeInfoCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:               "info FILE",
		Short:             "Describe a store: its size, its tasks, who holds it",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := inspect.Inspect(c.Context(), args[0])
			switch {
			case err != nil:
				return storeFault(c, err)
			case asJSON:
				return printJSON(c.OutOrStdout(), info)
			}
			return printInfo(c.OutOrStdout(), &info)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printInfo(w io.Writer, info *inspect.FileInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	line("file", info.File)
	line("version", info.Version)
	line("size", fmt.Sprintf("%s, and %d of the write-ahead log", counted(info.Bytes, "byte"), info.WALBytes))
	line("held by", cmp.Or(info.HeldBy, "nobody"))
	t := &info.Tasks
	line("queued", t.Queued)
	line("running", t.Running)
	line("completed", t.Completed)
	line("failed", t.Failed)
	line("cancelled", t.Cancelled)
	line("schedules", info.Schedules)
	line("kept", counted(info.KeptBytes, "byte")+" of inputs, results and outputs of finished tasks")
	line("latest seq", info.LatestSeq)
	line("oldest task", taskName(info.Oldest))
	line("newest task", taskName(info.Newest))
	return table.Flush()
}

func taskName(t *inspect.TaskName) string {
	if t == nil {
		return "none"
	}
	return fmt.Sprintf("%s of %s", t.ID, t.CreatedAt)
}

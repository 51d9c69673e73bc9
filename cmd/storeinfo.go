package cmd

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/stdio"
)

func storeInfoCommand() *cobra.Command {
	var asJSON bool
	var creds string
	c := &cobra.Command{
		Use:   "info FILE|URL",
		Short: "Describe a store: its size, its tasks, who holds it",
		Long: "Info describes the store in a file: its size, its tasks, who holds it. Of a namespace at nats:// or tls://\n" +
			"it says how much of the log there is, and which snapshots. The tasks of one are told by status, list and stats.",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := namespaceOf(c, args[0], creds)
			if err != nil {
				return err
			}
			if at != nil {
				return describeNamespace(c, *at, creds, asJSON)
			}
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
	credsFlag(c, &creds)
	return c
}

func describeNamespace(c *cobra.Command, at nats.Address, creds string, asJSON bool) error {
	ctx, stop := stdio.NotifyContext(c.Context())
	defer stop()
	info, err := nats.Inspect(ctx, at, credsOf(c, creds))
	switch {
	case err != nil:
		return storeFault(c, err)
	case asJSON:
		return printJSON(c.OutOrStdout(), info)
	}
	return printNamespace(c.OutOrStdout(), &info)
}

func printNamespace(w io.Writer, info *nats.NamespaceInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	line("namespace", info.Namespace)
	line("replicas", info.Replicas)
	if n := info.SnapshotReplicas; n > 0 && n < info.Replicas {
		line("of the snapshots", fmt.Sprintf("%d, so the log is not made shorter; change that with: nats stream edit JLS_%s --replicas %d", n, info.Namespace, info.Replicas))
	}
	bound := "without a bound"
	if info.MaxBytes > 0 {
		bound = "of at most " + counted(info.MaxBytes, "byte")
	}
	line("log", fmt.Sprintf("%s %s, from entry %d to entry %d", counted(int64(info.Bytes), "byte"), bound, info.FirstEntry, info.LastEntry))
	for _, s := range info.Snapshots {
		line("snapshot", fmt.Sprintf("%s behind entry %d, of %s", counted(s.Bytes, "byte"), s.Entry, s.StoredAt))
	}
	if len(info.Snapshots) == 0 {
		line("snapshots", "none")
	}
	if info.Late {
		line("late", fmt.Sprintf("no server makes a snapshot, though the log has %s behind the newest; their stats and logs tell why", counted(info.BytesBehind, "byte")))
	}
	return table.Flush()
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

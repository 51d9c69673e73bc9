package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/stdio"
)

func storeBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE DEST",
		Short: "Copy a store into one file, also while a server has it",
		Long: "Backup writes a copy of a store as it is at one moment. DEST must not exist yet; it is there when\n" +
			"the copy is whole, on the disk and checked, and can be served at once. What the check finds goes\n" +
			"to stderr, with exit code 1. Where a damaged store can be copied, the copy is damaged, too, and is\n" +
			"kept; where it cannot, there is no DEST.",
		Args:              fileArgs("FILE", "DEST"),
		ValidArgsFunction: completeFiles(2),
		RunE: func(c *cobra.Command, args []string) error {
			if nats.IsAddress(args[0]) {
				return usagef("%sFILE: %q is a namespace; copy that into a file with store copy, or back its streams up with nats stream backup", commandPrefix(c), args[0])
			}
			ctx, stop := stdio.NotifyContext(c.Context()) // else a signal would leave a part of a copy
			defer stop()
			found := newFindings(os.Stderr)
			if err := inspect.Backup(ctx, args[0], args[1], found.print); err != nil {
				return storeFault(c, err)
			}
			if found.n > 0 {
				fmt.Fprintf(os.Stderr, "%s: store backup: %s is as damaged as %s is: %s\n", c.Root().Name(), args[1], args[0], counted(found.n, "finding"))
			}
			return found.end()
		},
	}
}

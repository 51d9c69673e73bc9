package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

func storeCheckCommand() *cobra.Command {
	var asJSON bool
	var creds string
	c := &cobra.Command{
		Use:   "check FILE|URL",
		Short: "Read all of a store, and say what is damaged",
		Long: "Check reads all of a store: SQLite's own check of the file, the checksum of every row, what\n" +
			"belongs together, and the counters against what they count. It prints a line for each finding,\n" +
			"and exits with 0 where there is none, and with 1 otherwise. It changes nothing.\n" +
			"Of a namespace at nats:// or tls:// it reads each snapshot, and applies the log as a server does that starts.",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := namespaceOf(c, args[0], creds)
			if err != nil {
				return err
			}
			found := newFindings(os.Stdout)
			found.json = asJSON
			cure := "put a backup in its place, or save what can be read with " + c.Root().Name() + " store export"
			if at != nil {
				cure = "servers may begin with another snapshot; restore both of its streams from one backup where they do not"
				err = checkNamespace(c, *at, creds, found.print)
			} else {
				err = inspect.Check(c.Context(), args[0], found.print)
			}
			if err != nil {
				return storeFault(c, err)
			}
			if found.n > 0 {
				fmt.Fprintf(os.Stderr, "%s: store check: %s is damaged: %s; %s\n", c.Root().Name(), args[0], counted(found.n, "finding"), cure)
				return found.end()
			}
			if asJSON {
				return nil
			}
			_, err = fmt.Fprintf(os.Stdout, "%s is sound\n", args[0])
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print each finding as a line of JSON, and nothing where there is none")
	credsFlag(c, &creds)
	return c
}

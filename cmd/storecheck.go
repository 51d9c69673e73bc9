package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

func storeCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Read all of a store, and say what is damaged",
		Long: "Check reads all of a store: SQLite's own check of the file, the checksum of every row, what\n" +
			"belongs together, and the counters against what they count. It prints a line for each finding,\n" +
			"and exits with 0 where there is none, and with 1 otherwise. It changes nothing.",
		Args:              fileArgs("FILE"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			found := newFindings(os.Stdout)
			found.json = asJSON
			if err := inspect.Check(c.Context(), args[0], found.print); err != nil {
				return storeFault(c, err)
			}
			if found.n > 0 {
				fmt.Fprintf(os.Stderr, "%s: store check: %s is damaged: %s; put a backup in its place, or save what can be read with %[1]s store export\n", c.Root().Name(), args[0], counted(found.n, "finding"))
				return found.end()
			}
			if asJSON {
				return nil
			}
			_, err := fmt.Fprintf(os.Stdout, "%s is sound\n", args[0])
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print each finding as a line of JSON, and nothing where there is none")
	return c
}

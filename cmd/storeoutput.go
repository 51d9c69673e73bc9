package cmd

import (
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/schema"
)

func (p *Program) storeOutputCommand() *cobra.Command {
	var stream schema.Stream
	var creds string
	tail := int64(-1)
	c := &cobra.Command{
		Use:   "output FILE|URL ID",
		Short: "Print what a task has written, without running the queue",
		Long: "Output prints what is kept of a stream of a task, also while a server has the store: of a task\n" +
			"that runs all but about the last second. What is lost or damaged in the middle is told on stderr,\n" +
			"with exit code 1. On a terminal control characters are shown and not obeyed.",
		Example:           "  " + p.Name + " store output tasks.db 018f0000-0000-7000-8000-00000000000a --stream stderr --tail 64KiB",
		Args:              fileArgs("FILE", "ID"),
		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[1])
			if err != nil || len(args[1]) != len(id.String()) {
				return usagef("%sID: %q is not a UUID, as 018f0000-0000-7000-8000-00000000000a", commandPrefix(c), args[1])
			}
			return p.storeOutput(c, args[0], creds, id, stream, tail)
		},
	}
	choice(c, &stream, "stream", "which of the streams", option[schema.Stream]{"stdout", schema.Stdout},
		option[schema.Stream]{"stderr", schema.Stderr}, option[schema.Stream]{"log", schema.Log})
	credsFlag(c, &creds)
	f := c.Flags()
	f.Var(size(&tail, -1, 1), "tail", "only so many bytes, the last that are kept")
	f.Lookup("tail").DefValue = ""
	return c
}

func (p *Program) storeOutput(c *cobra.Command, file, creds string, id uuid.UUID, stream schema.Stream, tail int64) error {
	at, err := namespaceOf(c, file, creds)
	if err != nil {
		return err
	}
	var loss inspect.OutputLoss
	if at != nil {
		loss, err = readNamespaceOutput(c, *at, creds, id, stream, tail, safe(os.Stdout))
	} else {
		loss, err = inspect.ReadOutput(c.Context(), file, id, stream, tail, safe(os.Stdout))
	}
	if errors.Is(err, executor.ErrNotFound) {
		return fmt.Errorf("%sthere is no task %s in %s: the id is wrong, or the task is no longer kept", commandPrefix(c), id, file)
	}
	if err != nil {
		return storeFault(c, err)
	}
	if loss.Before > 0 && tail < 0 {
		fmt.Fprintf(os.Stderr, "%s: %sthe first %s of %v are no longer kept\n", p.Name, commandPrefix(c), counted(loss.Before, "byte"), stream)
	}
	if loss.Within > 0 {
		return fmt.Errorf("%s%s of %v are lost or damaged", commandPrefix(c), counted(loss.Within, "byte"), stream)
	}
	return nil
}

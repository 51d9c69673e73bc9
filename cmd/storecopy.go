package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/rpc/stdio"
)

func (p *Program) storeCopyCommand() *cobra.Command {
	var creds string
	c := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy all that a store has into another one, a file or a namespace",
		Long: "Copy fills a store with what another one has: tasks with their ids, states, times, attempts, results and\n" +
			"outputs, the queue in its order, groups, schedules, and the ids of earlier tasks. FROM and TO are files or\n" +
			"URLs of namespaces, as serve --store takes them. No server may use either. TO is a file that is not there,\n" +
			"or a namespace that store init has just made. Of tasks that ran on a server that is dead it makes what the\n" +
			"next server would. A file FROM is opened for that as a server does, and is not changed in another way.\n\n" +
			"Then it reads TO anew, compares it with FROM, and says what it has copied. Before that TO cannot be used;\n" +
			"where a copy was interrupted, the same command begins anew.",
		Example: "  " + p.Name + " store copy tasks.db nats://n1,n2,n3/builds\n" +
			"  " + p.Name + " store copy nats://n1,n2,n3/builds tasks.db",
		Args:              fileArgs("FROM", "TO"),
		ValidArgsFunction: completeFiles(2),
		RunE: func(c *cobra.Command, args []string) error {
			from, to, err := copyEnds(c, args)
			if err != nil {
				return err
			}
			ctx, stop := stdio.NotifyContext(c.Context()) // else a signal would leave a part of a copy
			defer stop()
			return storeFault(c, copyStore(ctx, c, from, to, credsOf(c, creds)))
		},
	}
	credsFlag(c, &creds)
	return c
}

// copyEnd is where a copy begins or ends.
type copyEnd struct {
	file      string
	namespace *nats.Address // nil of a file
}

// copyEnds reads the arguments.
func copyEnds(c *cobra.Command, args []string) (from, to copyEnd, err error) {
	for i, end := range []*copyEnd{&from, &to} {
		if !nats.IsAddress(args[i]) {
			end.file = args[i]
			continue
		}
		at, err := nats.ParseAddress(args[i])
		if err != nil {
			return from, to, usagef("%s%s: %v", commandPrefix(c), []string{"FROM", "TO"}[i], err)
		}
		end.namespace = &at
	}
	if from.namespace != nil && to.namespace != nil && from.namespace.String() == to.namespace.String() {
		return from, to, usagef("%sTO: %q is FROM; name another namespace", commandPrefix(c), args[1])
	}
	return from, to, nil
}

func (e *copyEnd) source(ctx context.Context, creds nats.Credentials) (transfer.From, error) {
	if e.namespace == nil {
		return sqlite.CopyFrom(ctx, e.file)
	}
	return nats.CopyFrom(ctx, *e.namespace, creds)
}

func (e *copyEnd) target(ctx context.Context, creds nats.Credentials) (transfer.Target, error) {
	if e.namespace == nil {
		return sqlite.CopyInto(e.file)
	}
	return nats.CopyInto(ctx, *e.namespace, creds)
}

func copyStore(ctx context.Context, c *cobra.Command, from, to copyEnd, creds nats.Credentials) (err error) {
	var source transfer.From
	var target transfer.Target
	steps := []func() error{
		func() (err error) { source, err = from.source(ctx, creds); return err },
		func() (err error) { target, err = to.target(ctx, creds); return err },
	}
	if to.namespace == nil { // so that no server makes a store there while the source is opened; of a namespace the beginning of a copy is kept
		slices.Reverse(steps)
	}
	defer func() {
		if source != nil {
			err = errors.Join(err, source.Close())
		}
		if target != nil {
			err = errors.Join(err, target.Close())
		}
	}()
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	sum, err := transfer.Copy(ctx, source, target)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "copied %s, %d of them open, with %s of output; %s, %s and %s of earlier tasks\n",
		counted(sum.Tasks, "task"), sum.Waiting, counted(sum.OutputBytes, "byte"), counted(sum.Groups, "group"), counted(sum.Schedules, "schedule"), counted(sum.IDs, "id"))
	return err
}

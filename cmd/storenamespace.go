package cmd

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// This file has what commands of store read of a namespace, in the form of what inspect reads of a file.

// namespaceOf is the namespace that an argument names, or nil where it is a file.
func namespaceOf(c *cobra.Command, arg, creds string) (*nats.Address, error) {
	if !nats.IsAddress(arg) {
		if creds != "" {
			return nil, usagef("%s--store-creds is for a store at nats:// or tls://, and %q is a file; leave it out", commandPrefix(c), arg)
		}
		return nil, nil
	}
	at, err := nats.ParseAddress(arg)
	if err != nil {
		return nil, usagef("%s%v", commandPrefix(c), err)
	}
	return &at, nil
}

// observe calls f with what a namespace has at this moment.
func observe(c *cobra.Command, at nats.Address, creds string, f func(context.Context, *nats.Observed) error) error {
	ctx, stop := stdio.NotifyContext(c.Context())
	defer stop()
	o, err := nats.Observe(ctx, at, credsOf(c, creds))
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, o), o.Close())
}

// checkNamespace is inspect.Check of a namespace.
func checkNamespace(c *cobra.Command, at nats.Address, creds string, report func(inspect.Finding)) error {
	ctx, stop := stdio.NotifyContext(c.Context())
	defer stop()
	return nats.CheckNamespace(ctx, at, credsOf(c, creds), func(text string) { report(inspect.Finding{Text: text}) })
}

// exportNamespace is inspect.ExportOutputs of a namespace.
func exportNamespace(c *cobra.Command, at nats.Address, creds string, filter executor.Filter, each func(*schema.Task, *inspect.Outputs) error) error {
	return observe(c, at, creds, func(ctx context.Context, from *nats.Observed) error {
		return from.Tasks(ctx, filter, func(t *schema.Task) (err error) {
			var all inspect.Outputs
			for i := range all {
				if all[i], err = from.Output(ctx, t.ID, schema.Stream(i), -1); err != nil {
					return err
				}
				all[i].Final = t.State.Final()
			}
			return each(t, &all)
		})
	})
}

// readNamespaceOutput is inspect.ReadOutput of a namespace, where nothing is lost in the middle.
func readNamespaceOutput(c *cobra.Command, at nats.Address, creds string, id uuid.UUID, stream schema.Stream, tail int64, to io.Writer) (loss inspect.OutputLoss, err error) {
	err = observe(c, at, creds, func(ctx context.Context, from *nats.Observed) error {
		piece, err := from.Output(ctx, id, stream, tail)
		loss.Before = piece.First
		if err == nil {
			_, err = to.Write(piece.Data)
		}
		return err
	})
	return loss, err
}

// exportNamespaceSettings is inspect.ExportSettings of a namespace.
func exportNamespaceSettings(c *cobra.Command, at nats.Address, creds string, each func(*inspect.Setting) error) error {
	return observe(c, at, creds, func(ctx context.Context, from *nats.Observed) error {
		all, err := settingsOf(ctx, from)
		for i := range all {
			if err == nil {
				err = each(&all[i])
			}
		}
		return err
	})
}

func settingsOf(ctx context.Context, from *nats.Observed) (all []inspect.Setting, err error) {
	groups, err := from.Groups(ctx)
	if err != nil {
		return nil, err
	}
	if groups.Paused {
		all = append(all, inspect.Setting{Paused: true})
	}
	for _, g := range groups.Groups {
		if g.Settings != (plan.Settings{}) {
			all = append(all, inspect.Setting{Group: new(executor.ShownGroup(plan.Group{Name: g.Name, Settings: g.Settings}))})
		}
	}
	schedules, err := from.Schedules(ctx)
	for _, text := range schedules {
		shown, wrong := executor.ShownSchedule(text)
		if err = errors.Join(err, wrong); err != nil {
			return nil, err
		}
		all = append(all, inspect.Setting{Schedule: &shown})
	}
	return all, err
}

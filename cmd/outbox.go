package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/outboxfile"
)

// This file opens a namespace with an outbox in front.

// firstTry is how long a server waits for its namespace before it begins without it.
const firstTry = 3 * time.Second

// outboxFlag is the flag for the file of an outbox.
func outboxFlag(c *cobra.Command, file *string, usage string) {
	c.Flags().StringVar(file, "outbox", "", usage)
	complete(c, "outbox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
}

// runningOutbox is an outbox with the goroutine that sends.
type runningOutbox struct {
	*outbox.Store
	over chan struct{} // closed when the goroutine has ended
}

// Close implements executor.Store.
func (r *runningOutbox) Close() error {
	err := r.Store.Close()
	<-r.over
	return err
}

// openOutbox opens an outbox in front of a namespace. It is no error if the servers of that cannot be reached.
func (o *storeOptions) openOutbox(c *cobra.Command, no nats.Options) (executor.Store, error) {
	if o.role == nats.RoleViewer {
		return nil, usagef("%s--outbox is for a server that submits, and a viewer does not; leave it or --store-role out", commandPrefix(c))
	}
	file, entries, err := outboxfile.Open(c.Context(), o.outbox, no.Address.Namespace)
	if err != nil {
		return nil, outboxFault(err)
	}
	opening := no // Open alone changes it
	store := outbox.New(file, outbox.Options{
		Open: func(ctx context.Context) (outbox.Namespace, error) {
			in, err := o.openNamespace(ctx, c, &opening)
			if err != nil {
				return nil, err
			}
			return in, nil
		},
		Info: namespaceInfo(no.Address), Entries: entries, Logger: no.Logger,
	})
	running := &runningOutbox{store, make(chan struct{})}
	go func() { // ends with Close
		defer close(running.over)
		store.Run(context.WithoutCancel(c.Context()))
	}()
	select {
	case err = <-store.Tried():
		o.role = opening.Role
	case <-time.After(firstTry):
	}
	if err != nil && !errors.Is(err, nats.ErrUnreachable) {
		return nil, errors.Join(o.openFault(err), running.Close())
	}
	return running, nil
}

// outboxFault says why the file of an outbox is not opened. No command waits for one that another process has: a
// server that ends has the lock of its socket until it has closed the file, so who has the file with
// another socket goes on.
func outboxFault(err error) error {
	if held, is := errors.AsType[*sqlite.HeldError](err); is {
		return fmt.Errorf("serve: --outbox: %s has %s, and one server at a time can; give this one another file, or --outbox '' for none, or end that process", held.Holder, show.ShellWord(held.Path))
	}
	return fmt.Errorf("serve: --outbox: %w", err)
}

// namespaceInfo is what is known of a namespace that was not reached. Its limits are those of a new one.
func namespaceInfo(at nats.Address) executor.StoreInfo {
	fresh := memory.New(memory.Options{})
	defer fresh.Close()
	info := fresh.Info()
	info.Name, info.Durable, info.Shared, info.File = "nats", true, true, at.String()
	return info
}

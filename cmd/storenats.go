package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/rpc/stdio"
)

// credsFlag is the flag for the file with which a process shows the servers of NATS who it is.
func credsFlag(c *cobra.Command, creds *string) {
	c.Flags().StringVar(creds, "store-creds", "", "the file of credentials for a store at nats:// or tls://; the variables NATS_USER, NATS_PASSWORD and others do, too")
	complete(c, "store-creds", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
}

// credentialFiles and credentialTexts are the variables that show who a process is.
var (
	credentialFiles = []string{"NATS_CREDS", "NATS_NKEY", "NATS_CA", "NATS_CERT", "NATS_KEY"}
	credentialTexts = []string{"NATS_USER", "NATS_PASSWORD", "NATS_TOKEN"}
)

// isCredential reports whether a variable shows who a process is. No task gets it from its server or
// from its caller: who may submit a task must not come to the rights of who runs it.
func isCredential(name string) bool {
	return slices.Contains(credentialFiles, name) || slices.Contains(credentialTexts, name)
}

// takeCredentials reads the credentials of a server, and takes them out of the environment, which its
// tasks have. It reports whether there were any.
func (o *storeOptions) takeCredentials() (found bool) {
	o.shown = credentials(o.creds, o.noCreds)
	for _, name := range slices.Concat(credentialFiles, credentialTexts) {
		found = found || os.Getenv(name) != ""
		_ = os.Unsetenv(name) // a valid name, which cannot fail
	}
	return found
}

// credentials are those of a flag and of the environment. The variables are those of other programs
// for NATS. With noFile no credentials file is used, because --store-creds was given as empty.
func credentials(file string, noFile bool) nats.Credentials {
	c := nats.Credentials{
		File: file, User: os.Getenv("NATS_USER"), Password: os.Getenv("NATS_PASSWORD"), Token: os.Getenv("NATS_TOKEN"), Seed: os.Getenv("NATS_NKEY"),
		CA: os.Getenv("NATS_CA"), Cert: os.Getenv("NATS_CERT"), Key: os.Getenv("NATS_KEY"),
	}
	if file == "" && !noFile {
		c.File = os.Getenv("NATS_CREDS")
	}
	return c
}

// openShared opens the store of the flags that many processes share. Limits that are not given stay
// as they are.
func (o *storeOptions) openShared(c *cobra.Command, log *slog.Logger) (executor.Store, error) {
	at, err := nats.ParseAddress(o.file)
	if err != nil {
		return nil, usagef("%s--store: %v", commandPrefix(c), err)
	}
	f := c.Flags()
	limits := memory.Options{Resources: o.resources}
	for name, take := range map[string]func(){
		"keep":       func() { limits.Keep = orNone(o.keep) },
		"keep-for":   func() { limits.KeepFor = o.keepFor },
		"keep-bytes": func() { limits.KeepBytes = o.keepBytes },
		"keep-ids":   func() { limits.KeepIDs = orNone(o.keepIDs) },
		"max-queued": func() { limits.MaxQueued = o.maxQueued },
		"max-output": func() { limits.MaxOutput = o.maxOutput },
	} {
		if f.Changed(name) {
			take()
		}
	}
	no := nats.Options{Address: at, Credentials: o.shown, Role: o.role, Limits: limits, Lease: o.lease, Name: o.name, Slots: o.slots, Logger: log}
	if o.outbox != "" {
		return o.openOutbox(c, no)
	}
	store, err := o.openNamespace(c.Context(), c, &no)
	if err != nil {
		return nil, o.openFault(err)
	}
	o.role = no.Role
	return store, nil
}

// openNamespace opens a namespace. A server that runs no tasks, and so loses little, becomes a driver where no role
// was given and NATS refuses that of an executor.
func (o *storeOptions) openNamespace(ctx context.Context, c *cobra.Command, no *nats.Options) (*nats.Store, error) {
	store, err := nats.Open(ctx, *no)
	if o.slots > 0 || c.Flags().Changed("store-role") || !nats.IsExecutorRefused(err) {
		return store, err
	}
	no.Role = nats.RoleDriver
	no.Logger.Info("the NATS servers do not let this user change everything: this server, which runs no tasks, is a driver", "user", o.shown.User)
	return nats.Open(ctx, *no)
}

// openFault says why a namespace is not opened.
func (o *storeOptions) openFault(err error) error {
	if errors.Is(err, nats.ErrNameTaken) {
		return fmt.Errorf("serve: --name %s: %w; give this server another one, or end that process first", o.name, err)
	}
	return fmt.Errorf("serve: --store: %w", err)
}

// credsOf are the credentials of a command with credsFlag.
func credsOf(c *cobra.Command, file string) nats.Credentials {
	return credentials(file, c.Flags().Changed("store-creds"))
}

func storeInitCommand() *cobra.Command {
	var n nats.Namespace
	var creds string
	c := &cobra.Command{
		Use:   "init URL",
		Short: "Make a namespace in NATS JetStream for a queue of many machines",
		Long: "Init makes the stream in which servers with --store URL have one queue. URL is\n" +
			"nats://HOST,HOST/NAMESPACE, or the same with tls. It changes nothing where the namespace is there.\n" +
			"The servers of NATS must run with JetStream. Let them sync each message (sync_interval: always in\n" +
			"the block jetstream of their configuration), or a power failure of all loses the latest ones.",
		Args: fileArgs("URL"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error { return initNamespace(c, args[0], creds, n) },
	}
	f := c.Flags()
	f.Var(countTo(&n.Replicas, 1, 1, 5), "replicas", "servers that have the log; more than half of them must be up")
	f.Var(size(&n.MaxBytes, 0, 0), "max-bytes", "the most bytes of the log, after which nothing more is recorded; 0 is no bound")
	credsFlag(c, &creds)
	return c
}

func initNamespace(c *cobra.Command, url, creds string, n nats.Namespace) error {
	if !nats.IsAddress(url) {
		return usagef("%s%q is no URL of a namespace: want nats://HOST,HOST/NAMESPACE, or the same with tls", commandPrefix(c), url)
	}
	at, err := nats.ParseAddress(url)
	if err != nil {
		return usagef("%s%v", commandPrefix(c), err)
	}
	if !c.Flags().Changed("replicas") {
		n.Replicas = 0
	}
	ctx, stop := stdio.NotifyContext(c.Context())
	defer stop()
	made, err := nats.Init(ctx, at, credsOf(c, creds), n)
	if err != nil {
		return fmt.Errorf("store init: %w", err)
	}
	is := "is there already"
	if made {
		is = "is made"
	}
	if hosts := len(at.Servers); made && n.Replicas == 0 && hosts > 1 {
		fmt.Fprintf(safe(os.Stderr), "%s: the log is on one of the servers, and lost with its disk; a cluster of three keeps it on all with --replicas 3 of store init, and now with nats stream edit --replicas 3 of JL_%s and JLS_%[2]s\n",
			c.Root().Name(), at.Namespace)
	}
	fmt.Fprintf(c.OutOrStdout(), "the namespace %s %s; serve it with: %s serve --store %v\n", at.Namespace, is, c.Root().Name(), at)
	return nil
}

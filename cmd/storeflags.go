package cmd

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/sqlite"
)

// storeOptions are the flags that say where tasks are kept, and how many.
type storeOptions struct {
	file      string // or the address of a namespace
	creds     string
	noCreds   bool             // there is no file of credentials, whatever the environment says
	shown     nats.Credentials // of creds and the environment, by takeCredentials
	outbox    string           // the file in which submits wait while the namespace cannot be reached
	role      nats.Role
	lease     time.Duration
	name      string // of the server, or ""
	slots     int    // to be shown
	keep      int
	keepFor   time.Duration
	keepBytes int64
	keepIDs   int
	maxQueued int
	maxOutput int
	resources map[string]int64
}

func (o *storeOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.file, "store", "", "the file in which tasks outlive the process, or nats://HOST,HOST/NAMESPACE for a queue of many machines; in memory by default")
	complete(c, "store", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
	credsFlag(c, &o.creds)
	outboxFlag(c, &o.outbox, "the file in which submits wait while a store at nats:// or tls:// cannot be reached; without one they are refused then")
	choice(c, &o.role, "store-role", "what this server does to a store at nats:// or tls://: an executor everything, a driver submits and cancels, a viewer reads; those two run no tasks",
		option[nats.Role]{string(nats.RoleExecutor), nats.RoleExecutor}, option[nats.Role]{string(nats.RoleDriver), nats.RoleDriver},
		option[nats.Role]{string(nats.RoleViewer), nats.RoleViewer})
	f.Var(span(&o.lease, nats.DefaultLease, time.Second), "store-lease", "how long this process may be silent before the others that share a store at nats:// or tls:// settle its tasks")
	f.Var(count(&o.keep, memory.DefaultKeep, 0), "keep",
		fmt.Sprintf("finished tasks that are kept; 0 keeps none; with --store %d unless said", sqlite.DefaultKeep))
	f.Var(span(&o.keepFor, memory.DefaultKeepFor, 1), "keep-for",
		fmt.Sprintf("how long finished tasks are kept; with --store %s unless said", show.Exact(sqlite.DefaultKeepFor)))
	f.Var(size(&o.keepBytes, memory.DefaultKeepBytes, 1), "keep-bytes",
		fmt.Sprintf("bytes of inputs, results and outputs that are kept of finished tasks; with --store %s unless said", formatSize(sqlite.DefaultKeepBytes)))
	f.Var(count(&o.keepIDs, memory.DefaultKeepIDs, 0), "keep-ids",
		fmt.Sprintf("ids that are remembered of tasks that are no longer kept, so that none runs again; with --store %d unless said", sqlite.DefaultKeepIDs))
	f.Var(count(&o.maxQueued, memory.DefaultMaxQueued, 1), "max-queued", "tasks that wait to run")
	f.Var(size(&o.maxOutput, memory.DefaultMaxOutput, 1), "max-output", "bytes that are kept of each stream of a task, the newest")
	f.Var(resources(&o.resources), "resource", "how much there is of what tasks need, as gpu=2,ram=64; a task starts when all of its needs are free")
}

// resources is a flag for amounts of resources by name, which may be given many times.
func resources(to *map[string]int64) pflag.Value {
	return &flagValue[map[string]int64]{to, func(text string) (map[string]int64, error) {
		all := maps.Clone(*to)
		if all == nil {
			all = map[string]int64{}
		}
		for pair := range strings.SplitSeq(text, ",") {
			name, amount, _ := strings.Cut(pair, "=")
			n, err := strconv.ParseInt(amount, 10, 64)
			if err != nil || n < 0 || name == "" || len(name) > executor.MaxNameBytes {
				return nil, fmt.Errorf("%q: want a name, = and a whole number, as gpu=2,ram=64", pair)
			}
			all[name] = n
		}
		return all, nil
	}, formatResources, "resources"}
}

func formatResources(all map[string]int64) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, fmt.Sprintf("%s=%d", name, all[name]))
	}
	return strings.Join(pairs, ",")
}

// check refuses flags of a namespace for another store.
func (o *storeOptions) check(c *cobra.Command) error {
	if nats.IsAddress(o.file) {
		return nil
	}
	for _, flag := range namespaceFlags {
		if f := c.Flags().Lookup(flag); f.Changed && f.Value.String() != "" {
			return usagef("%s--%s %v is for a store at nats:// or tls://; leave it out, or name one with --store", commandPrefix(c), flag, f.Value)
		}
	}
	return nil
}

// open opens the store of the flags.
func (o *storeOptions) open(c *cobra.Command, log *slog.Logger) (executor.Store, error) {
	if o.file == "" {
		if c.Flags().Changed("store") { // as an unset variable of a shell makes it
			return nil, usagef("%s--store is empty; name a file, or leave --store out to keep tasks in memory", commandPrefix(c))
		}
		return memory.New(memory.Options{
			Keep: orNone(o.keep), KeepFor: o.keepFor, KeepBytes: o.keepBytes, KeepIDs: orNone(o.keepIDs), MaxQueued: o.maxQueued, MaxOutput: o.maxOutput,
			Resources: o.resources,
		}), nil
	}
	if nats.IsAddress(o.file) {
		return o.openShared(c, log)
	}
	if scheme, _, isURL := strings.Cut(o.file, "://"); isURL && !strings.Contains(scheme, "/") {
		return nil, usagef("%s--store %q is a URL of no store: want the path of a file, nats:// or tls://; name a file as ./%[2]s if it is called so", commandPrefix(c), o.file)
	}
	so := sqlite.Options{Path: o.file, MaxQueued: o.maxQueued, MaxOutput: o.maxOutput, Resources: o.resources, Logger: log}
	f := c.Flags()
	if f.Changed("keep") {
		so.Keep = orNone(o.keep)
	}
	if f.Changed("keep-for") {
		so.KeepFor = o.keepFor
	}
	if f.Changed("keep-bytes") {
		so.KeepBytes = o.keepBytes
	}
	if f.Changed("keep-ids") {
		so.KeepIDs = orNone(o.keepIDs)
	}
	store, err := sqlite.Open(c.Context(), so)
	if err != nil {
		return nil, fmt.Errorf("serve: --store: %w", err)
	}
	return store, nil
}

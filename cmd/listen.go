package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/socket"
	"github.com/jobline/jobline/rpc/stdio"
)

// defaultIdle is how long a server on sockets stays that has nothing to do.
const defaultIdle = 10 * time.Minute

// listenOptions are the flags of serve that make a server of many connections.
type listenOptions struct {
	program        *Program
	addresses      []string
	stdio          bool
	idle           time.Duration
	maxConnections int
	logFile        string
}

func (o *listenOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.addresses, "listen", nil, "serve on a socket, as unix:PATH, or default for the one where commands look, in place of stdin and stdout; can be given more than once")
	f.BoolVar(&o.stdio, "stdio", false, "with --listen serve on stdin and stdout, too; their end ends that connection alone")
	f.Var(span(&o.idle, defaultIdle, 0), "idle", "with --listen end after this time without a connection, a task that can run, and a schedule with a time to come; 0 is never")
	f.Var(count(&o.maxConnections, socket.DefaultMaxConnections, 1), "max-connections", "with --listen connections that are open at once")
	f.StringVar(&o.logFile, "log-file", "", "write the log, and panics, to this file in place of stderr; at 10MiB it becomes FILE.1, and FILE.3 is the oldest")
	complete(c, "listen", cobra.FixedCompletions([]string{defaultScope, addressPrefix}, cobra.ShellCompDirectiveNoSpace))
	complete(c, "log-file", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
}

// addressPrefix is what an address of --listen begins with.
const addressPrefix = "unix:"

// check refuses flags on the command line that mean nothing without --listen. Their
// variables may be set for servers that others start.
func (o *listenOptions) check(c *cobra.Command) error {
	if len(o.addresses) > 0 || os.Getenv(envName("listen")) != "" {
		return nil
	}
	for _, flag := range []string{"stdio", "idle", "max-connections"} {
		if c.Flags().Changed(flag) {
			return usagef("serve: --%s is of a server on sockets; give --listen unix:PATH, too", flag)
		}
	}
	return nil
}

// paths are those of the sockets of the flags.
func (o *listenOptions) paths() ([]string, error) {
	var paths []string
	for _, address := range o.addresses {
		path, ok := strings.CutPrefix(address, addressPrefix)
		switch {
		case address == defaultScope:
			path = filepath.Join(runtimeFolder(o.program.Name), defaultScope+socketSuffix)
		case !ok || path == "":
			return nil, usagef("serve: --listen %q: want unix:PATH, as unix:/run/user/1000/jobline/default.sock, or default for the one where commands look", address)
		}
		if slices.Contains(paths, path) {
			return nil, usagef("serve: --listen %q is given twice", address)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// reserve takes the right to listen on the sockets of the flags. Release gives it
// back.
func (o *listenOptions) reserve(ctx context.Context) (sockets []*socket.Socket, release func() error, err error) {
	release = func() error {
		var errs []error
		for _, s := range sockets {
			errs = append(errs, s.Release())
		}
		return errors.Join(errs...)
	}
	paths, err := o.paths()
	for i := 0; i < len(paths) && err == nil; i++ {
		var s *socket.Socket
		if s, err = socket.Reserve(ctx, paths[i]); err == nil {
			sockets = append(sockets, s)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(noSockets(err), release())
	}
	return sockets, release, nil
}

// noSockets explains the error of a system that has no sockets for this.
func noSockets(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return noSocketsError{}
	}
	return err
}

// noSocketsError is the error of a system without sockets that only one user can use.
type noSocketsError struct{}

func (noSocketsError) Error() string {
	return "this system has no sockets that only one user can use; start a server of its own with serve, and speak to it on its stdin and stdout"
}

// Unwrap answers errors.ErrUnsupported.
func (noSocketsError) Unwrap() error { return errors.ErrUnsupported }

// apply makes the life of the server one with connections on sockets, where there are
// some.
func (o *listenOptions) apply(to *stdio.Options, ex *executor.Executor, sockets []*socket.Socket, log *slog.Logger) {
	if len(sockets) == 0 {
		return
	}
	to.Others = socket.NewServer(ex, sockets, socket.Options{
		RPC: to.RPC, MaxConnections: o.maxConnections, Idle: o.idle, Logger: log,
	})
	to.OthersOnly, to.IgnoreParent = !o.stdio, true
}

// log is where the log goes.
func (o *listenOptions) log() (io.Writer, error) {
	if o.logFile == "" {
		return os.Stderr, nil
	}
	file, err := stdio.OpenLogFile(o.logFile)
	if err != nil {
		return nil, fmt.Errorf("serve: --log-file: %w", err)
	}
	return file, nil
}

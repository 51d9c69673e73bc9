package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/jobline/jobline/rpc/wire"
)

// ownFlags are the flags of serve that --server-flag cannot set: run sets them
// itself, or they mean nothing for a server that runs one task and keeps none.
var ownFlags = []string{"allow", "framing", "ignore-env", "ignore-parent", "keep", "keep-bytes", "keep-for", "idle", "limit", "listen", "max-connections", "max-queued", "on-eof", "stdio", "store", taskStdinFlag}

// requestRoom is a bound on the bytes of a submit without its input.
const requestRoom = 64 << 10

// taskStdinFlag is a hidden flag of serve: commands read the file that the server
// was given as descriptor taskStdin.
const (
	taskStdinFlag = "task-stdin"
	taskStdin     = 3
)

// serverProcess is the command that starts the server of one task. It runs this
// binary in a process group of its own, so that Ctrl-C reaches run alone. It takes
// no flags from the environment. Stdin is what the command of the task reads, or
// nil.
func (o *runOptions) serverProcess(inputBytes int, stdin *os.File) (*exec.Cmd, error) {
	self, err := programFile()
	if err != nil {
		return nil, err
	}
	if err := o.checkServerFlags(); err != nil {
		return nil, err
	}
	args := []string{"serve", "--ignore-env", "--framing=line", "--on-eof=cancel", "--limit=1", "--keep-bytes=1TiB",
		"--log-level=warn"}
	if need := inputBytes + requestRoom; need > wire.DefaultMaxMessage {
		args = append(args, fmt.Sprintf("--max-message=%d", need))
	}
	if stdin != nil {
		args = append(args, "--"+taskStdinFlag)
	}
	server := exec.Command(self, append(args, o.serverFlags...)...)
	detach(server)
	if stdin != nil {
		server.ExtraFiles = []*os.File{stdin}
	}
	return server, nil
}

// checkServerFlags refuses flags that serve does not have, and those of ownFlags.
func (o *runOptions) checkServerFlags() error {
	for _, text := range o.serverFlags {
		flags := o.program.serveCommand().Flags()
		if !strings.HasPrefix(text, "--") || text == "--" {
			return usagef("run: --server-flag %q: want a flag of serve, as --server-flag=--log-level=debug", text)
		}
		if err := flags.Parse([]string{text}); err != nil {
			return usagef("run: --server-flag %q: %v; %s serve --help lists the flags", text, err, o.program.Name)
		}
		var refused error
		flags.Visit(func(f *pflag.Flag) {
			if slices.Contains(ownFlags, f.Name) {
				refused = usagef("run: --server-flag %q: run sets --%s itself", text, f.Name)
			}
		})
		if refused != nil {
			return refused
		}
	}
	return nil
}

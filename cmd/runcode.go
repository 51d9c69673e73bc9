package cmd

import (
	"fmt"
	"strings"

	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// Exit codes of run beside those of the task's command. They are those that
// shells, env and timeout use.
const (
	exitTimeout       = 124 // the task's time was over
	exitRefused       = 125 // the task was refused, and has not run
	exitNotExecutable = 126
	exitNotFound      = 127
)

// runCodes is the table of run's exit codes, as --help and the documentation have it.
var runCodes = []exitCodeRow{
	{"0", "the task completed"},
	{"1", "it failed otherwise, or was cancelled but not interrupted, or how it ended, or whether it was recorded, is not known"},
	{"2", "the command line is wrong; nothing was run"},
	{"124", "its time-out passed"},
	{"125", "it was refused, and was not run: an unknown type, a bad input, a limit"},
	{"126", "its program could not be started"},
	{"127", "its program, or the directory that it is to run in, was not found"},
	{"128+n", "signal n ended its command, or run itself was interrupted: 130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP"},
	{"other", "that of the task's command"},
}

// exitCodeRow is a row of a table of exit codes.
type exitCodeRow struct{ code, means string }

// codesText is a table of exit codes for --help.
func codesText(rows []exitCodeRow) string {
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-6s %s\n", row.code, row.means)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// refusedf is the error of a task that was refused.
func refusedf(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), exitRefused}
}

// codeOf is the exit code of a task that failed: its command's, where it had one.
func codeOf(e *schema.TaskError) exitCode {
	switch {
	case e.Kind == schema.KindExit && e.ExitCode != nil && *e.ExitCode != 0:
		return exitCode(*e.ExitCode)
	case e.Kind == schema.KindSignal:
		if n := signalNumber(e.Signal); n > 0 {
			return exitCode(stdio.ExitSignal + n)
		}
	case e.Kind == schema.KindTimeout:
		return exitTimeout
	case e.Kind == schema.KindSpawn && e.Errno == "ENOENT":
		return exitNotFound
	case e.Kind == schema.KindSpawn && e.Errno == "EINVAL":
		return exitRefused // what no system call takes, as a NUL byte
	case e.Kind == schema.KindSpawn:
		return exitNotExecutable
	}
	return stdio.ExitFault
}

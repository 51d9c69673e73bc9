package cmd

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// Exit codes of commands that wait for several tasks, beside 126 and 127 of run. They
// are those of xargs.
const (
	exitSomeFailed = 123 // a task failed otherwise, or was cancelled
	exitSaid255    = 124 // a command ended with 255
	exitSignalled  = 125 // a signal ended a command
)

// manyCodes is the table of exit codes of commands that wait for several tasks, as
// --help and the documentation have it.
var manyCodes = []exitCodeRow{
	{"0", "all tasks completed; a task on :failure that was not needed counts as one of them"},
	{"1", "how a task ended, or whether it was recorded, is not known: the server ended, or cannot be reached, or its store does not answer"},
	{"2", "the command line is wrong"},
	{"123", "a task failed otherwise, or was cancelled"},
	{"124", "a command ended with 255; or the time of --timeout was over first"},
	{"125", "a signal ended a command; or a task was refused, and has not run"},
	{"126", "a program could not be started"},
	{"127", "a program, or the directory that it was to run in, was not found"},
	{"128+n", "signal n interrupted the wait: 130 by Ctrl-C"},
}

// outcome gathers how tasks have ended.
type outcome struct {
	ended    int
	code     exitCode
	last     schema.Task // without what is large
	branches branches
	failed   map[uuid.UUID]bool // or cancelled
}

// ending is what the end of a task is for a person who waits for several.
type ending int

const (
	endsWell    ending = iota // it has completed, or is of a branch that was not taken
	endsBadly                 // it has failed, or was cancelled
	endsByOther               // it has not run because another one of those has ended badly
)

func newOutcome() outcome {
	return outcome{branches: branches{}, failed: map[uuid.UUID]bool{}}
}

// add counts the end of a task.
func (o *outcome) add(t *schema.Task) ending {
	o.ended++
	o.last = schema.Task{ID: t.ID, Type: t.Type, State: t.State, Error: t.Error}
	if t.State == schema.Completed || o.branches.notTaken(t) {
		return endsWell
	}
	o.failed[t.ID] = true
	if code := codeAsXargs(t.Error); o.code == 0 || o.code == exitSomeFailed {
		o.code = code
	}
	if failedByOther(t) && o.failed[t.Error.Cause] {
		return endsByOther
	}
	return endsBadly
}

// codeAsXargs is the exit code of xargs for a command that ended like that.
func codeAsXargs(e *schema.TaskError) exitCode {
	if e == nil {
		return exitSomeFailed
	}
	switch {
	case e.Kind == schema.KindSignal:
		return exitSignalled
	case e.Kind == schema.KindExit && e.ExitCode != nil && *e.ExitCode == 255:
		return exitSaid255
	case e.Kind == schema.KindExit && e.ExitCode != nil && *e.ExitCode == exitNotFound:
		return exitNotFound
	case e.Kind == schema.KindExit && e.ExitCode != nil && *e.ExitCode == exitNotExecutable:
		return exitNotExecutable
	case e.Kind == schema.KindSpawn && e.Errno == "ENOENT":
		return exitNotFound
	case e.Kind == schema.KindSpawn:
		return exitNotExecutable
	}
	return exitSomeFailed
}

// codeOfOne is the exit code of run for the task that has ended last.
func (o *outcome) codeOfOne() exitCode {
	switch {
	case o.last.State == schema.Completed:
		return 0
	case o.last.Error == nil:
		return stdio.ExitFault
	}
	return codeOf(o.last.Error)
}

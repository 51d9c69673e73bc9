package cmd

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	taskexec "github.com/jobline/jobline/executor/task/exec"
)

// splitArgs splits the arguments at --: before it stands the task type, which is exec
// where there is none, and behind it the command of exec.
func (t *taskFlags) splitArgs(c *cobra.Command, args []string) error {
	return t.splitAt(args, c.ArgsLenAtDash())
}

// splitAt is splitArgs where -- stands behind so many arguments, or below 0 nowhere.
func (t *taskFlags) splitAt(args []string, dash int) error {
	before := args
	if dash >= 0 {
		before, t.input.argv = args[:dash], append([]string{}, args[dash:]...)
	}
	switch {
	case len(before) == 1:
		t.name = before[0]
		return nil
	case len(before) == 0 && len(args) > 0 && t.program.shipsExec(taskexec.TypeName):
		t.name = taskexec.TypeName
		return nil
	case len(before) == 0 && len(args) > 0:
		return usagef("%s: the task type is missing before --; %s types lists them", t.command, t.program.Name)
	case len(before) == 0:
		return usagef("%s: which task type? %s types lists them; a command is run by %s", t.command, t.program.Name, t.commandLine([]string{"make", "test"}))
	case t.program.shipsExec(before[0]):
		return usagef("%s: the command of exec comes after --, as in: %s", t.command, t.commandLine(slices.Concat(before[1:], t.input.argv)))
	case !t.program.NoExec && !t.program.hasType(before[0]):
		return usagef("%s: no task type is named %q; if it is a command: %s", t.command, before[0], t.commandLine(args))
	}
	return usagef("%s takes one task type, it has %q as well; what a task takes is given by --set KEY=VALUE or --input JSON", t.command, before[1])
}

// checkCommand refuses an exec without a command, which the server would refuse
// in the words of a schema.
func (t *taskFlags) checkCommand(input jsontext.Value) error {
	var in struct {
		Argv jsontext.Value `json:"argv"`
	}
	if !t.program.shipsExec(t.name) || json.Unmarshal(input, &in) != nil {
		return nil // what is wrong with it, the server says better
	}
	if argv := strings.TrimSpace(string(in.Argv)); argv != "" && argv != "[]" {
		return nil
	}
	return usagef("%s: exec has no command; write it after --, as in: %s", t.command, t.commandLine([]string{"make", "test"}))
}

// commandHint tells how to run a command whose name was given as a task type; it
// is empty where there is no such command.
func (t *taskFlags) commandHint(name string) string {
	if _, err := exec.LookPath(name); err != nil || t.program.NoExec {
		return ""
	}
	return "; to run the command: " + t.commandLine(append([]string{name}, t.input.argv...))
}

// commandLine is the command line that runs a command, to be copied to a shell.
func (t *taskFlags) commandLine(argv []string) string {
	words := append([]string{t.program.Name, t.command}, strings.Fields(t.before)...)
	return strings.Join(append(words, "--", show.Command(argv)), " ")
}

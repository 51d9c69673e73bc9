package cmd

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	taskexec "github.com/jobline/jobline/executor/task/exec"
)

// args splits the arguments at --: before it stands the task type, and behind it
// the command of exec.
func (o *runOptions) args(c *cobra.Command, args []string) error {
	before := args
	if dash := c.ArgsLenAtDash(); dash >= 0 {
		before, o.input.argv = args[:dash], append([]string{}, args[dash:]...)
	}
	if o.json && o.outputOnly {
		return usagef("run: --json and --output-only both want stdout: give one of them")
	}
	switch {
	case len(before) == 1:
		return nil
	case len(before) == 0 && len(args) > 0:
		return usagef("run: the task type is missing before --; a command is run by %s", o.commandLine("", args))
	case len(before) == 0:
		return usagef("run: which task type? %[1]s types lists them, as in: %[1]s run exec -- make test", o.program.Name)
	case o.program.shipsExec(before[0]):
		return usagef("run: the command of exec comes after --, as in: %s", o.commandLine("", slices.Concat(before[1:], o.input.argv)))
	case !o.program.NoExec && !o.program.hasType(before[0]):
		return usagef("run: no task type is named %q; if it is a command: %s", before[0], o.commandLine("-o ", args))
	}
	return usagef("run takes one task type, it has %q as well; what a task takes is given by --set KEY=VALUE or --input JSON", before[1])
}

// checkCommand refuses an exec without a command, which the server would refuse
// in the words of a schema.
func (o *runOptions) checkCommand(name string, input jsontext.Value) error {
	var in struct {
		Argv jsontext.Value `json:"argv"`
	}
	if !o.program.shipsExec(name) || json.Unmarshal(input, &in) != nil {
		return nil // what is wrong with it, the server says better
	}
	if argv := strings.TrimSpace(string(in.Argv)); argv != "" && argv != "[]" {
		return nil
	}
	return usagef("run: exec has no command; write it after --, as in: %s run %s -- make test", o.program.Name, name)
}

// commandHint tells how to run a command whose name was given as a task type; it
// is empty where there is no such command.
func (o *runOptions) commandHint(name string) string {
	if _, err := exec.LookPath(name); err != nil || o.program.NoExec {
		return ""
	}
	return "; to run the command: " + o.commandLine("-o ", append([]string{name}, o.input.argv...))
}

// commandLine is the command line that runs a command, to be copied to a shell.
func (o *runOptions) commandLine(flags string, argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = shellWord(word)
	}
	return o.program.Name + " run " + taskexec.TypeName + " " + flags + "-- " + strings.Join(words, " ")
}

// shellWord quotes a word for a POSIX shell, where it has to be.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

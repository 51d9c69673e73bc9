package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
)

// outcomeUnknown is why it is not known whether a change was recorded, or "" where it is known: the
// store has not answered in time, or the server has ended meanwhile.
func outcomeUnknown(err error) string {
	if e, answered := errors.AsType[*wire.Error](err); answered && e.Data.OutcomeUnknown {
		why, _, _ := strings.Cut(e.Message, ": "+executor.ErrOutcomeUnknown.Error())
		return why
	}
	if client.IsEnded(err) {
		return "the server has ended"
	}
	return ""
}

// unknownSubmit says of which task it is not known whether it was recorded, how to look, and how to submit it
// again: with the same id it counts once.
func (t *taskFlags) unknownSubmit(id uuid.UUID, target *targetOptions, why string) error {
	return fmt.Errorf("it is not known whether %s was recorded as %s: %s; look by: %s; or submit it again, which counts once, by: %s",
		t.name, id, why, t.program.commandLine(slices.Concat([]string{"status", id.String()}, target.words())), t.program.commandLine(t.withID(id)))
}

// withID is this command line with the id of its task.
func (t *taskFlags) withID(id uuid.UUID) []string {
	if t.id != "" || len(t.program.args) == 0 {
		return t.program.args
	}
	return slices.Insert(slices.Clone(t.program.args), 1, "--id", id.String())
}

// commandLine is a command of this program, for a shell.
func (p *Program) commandLine(args []string) string {
	words := []string{p.Name}
	for _, arg := range args {
		words = append(words, show.ShellWord(arg))
	}
	return strings.Join(words, " ")
}

// words are the flags that name the server, as they were given.
func (o *targetOptions) words() (words []string) {
	for _, flag := range []struct{ name, value string }{
		{"--socket", o.socket}, {"--project", o.project}, {"--store", o.store}, {"--store-creds", o.creds}, {"--store-role", string(o.role)},
	} {
		if flag.value != "" {
			words = append(words, flag.name, flag.value)
		}
	}
	return words
}

// looks are the commands that show what a command changes.
var looks = map[string]string{
	"pause": "groups", "resume": "groups", "groups": "groups", "schedule": "schedules", "unschedule": "schedules", "executors": "executors",
}

// unknownChange says of another change than a submit that it is not known whether it was recorded.
func (p *Program) unknownChange(why string) error {
	look := "status"
	if len(p.args) > 0 && looks[p.args[0]] != "" {
		look = looks[p.args[0]]
	}
	return fmt.Errorf("it is not known whether the change was recorded: %s; look with %s %s before you give it again: %s", why, p.Name, look, p.commandLine(p.args))
}

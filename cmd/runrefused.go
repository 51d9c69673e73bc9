package cmd

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// refused makes of the error of a submit to a server what a person can act on. The id is that of the
// task. A dry run has none.
func (t *taskFlags) refused(say func(format string, args ...any), id uuid.UUID, target *targetOptions, err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	switch why := outcomeUnknown(err); {
	case why != "" && id != uuid.Nil && !target.local && ok:
		return t.unknownSubmit(id, target, why)
	case why != "" && id != uuid.Nil && !target.local:
		say("%v", t.unknownSubmit(id, target, why)) // how it has ended is said, too
		return err
	case !ok:
		return err
	case isOlder(err):
		return refusedf("%s was not run: %v", t.name, t.program.answerOf(err))
	}
	ofFlags := strings.HasPrefix(e.Message, "params")
	for _, v := range e.Data.Violations {
		say("%s: %s", placeOf(v.Pointer, ofFlags), v.Message)
	}
	switch {
	case len(e.Data.Violations) > 0 && ofFlags:
		return refusedf("%s was not run; %s %s --help describes the flags", t.name, t.program.Name, t.command)
	case len(e.Data.Violations) > 0:
		return refusedf("%s was not run; %s types %[1]s says what it takes", t.name, t.program.Name)
	case e.Code == schema.CodeUnknownType && len(e.Data.Suggestions) > 0:
		return refusedf("no task type is named %q; did you mean %s?%s", t.name, e.Data.Suggestions[0], t.commandHint(t.name))
	case e.Code == schema.CodeUnknownType:
		return refusedf("no task type is named %q; %s types lists them%s", t.name, t.program.Name, t.commandHint(t.name))
	}
	return refusedf("%s was not run: %v", t.name, t.program.answerOf(err))
}

// submitFlags are the flags of commands that set members of a submit, by the pointer
// of the member.
var submitFlags = map[string]string{
	"/id": "--id", "/priority": "--priority", "/timeoutMs": "--timeout", "/graceMs": "--grace", "/rerun": "--rerun", "/labels": "--label",
	"/after": "--after", "/runAt": "--at", "/delayMs": "--in", "/expireMs": "--expire", "/expiresAt": "--expire-at", "/key": "--key", "/group": "--group", "/needs": "--needs", "/on": "--on", "/parent": "--parent",
	"/dedupe/key": "--dedupe", "/dedupe/on": "--dedupe-on", "/dedupe/windowMs": "--dedupe-for",
	"/retry/maxAttempts": "--retry", "/retry/delayMs": "--retry-delay", "/retry/factor": "--retry-factor", "/retry/maxDelayMs": "--retry-max-delay", "/retry/jitter": "--retry-jitter", "/retry/on": "--retry-on",
	"/dryRun": "--dry-run",
}

// placeOf names the flag or the place in the input that a violation is of.
func placeOf(pointer string, ofFlags bool) string {
	if !ofFlags {
		if pointer == "" {
			return "input" // all of it
		}
		return pointer
	}
	for member, flag := range submitFlags {
		if pointer == member || strings.HasPrefix(pointer, member+"/") {
			return flag
		}
	}
	return pointer
}

// inFlags makes of the error of a server for wrong params a mistake of the command line: place names
// the flag of each violation. Another error stays as it is.
func inFlags(command string, err error, place func(pointer string) string) error {
	e, answered := errors.AsType[*wire.Error](err)
	if !answered || len(e.Data.Violations) == 0 || isOlder(err) {
		return err
	}
	words := make([]string, len(e.Data.Violations))
	for i, v := range e.Data.Violations {
		words[i] = place(v.Pointer) + ": " + v.Message
	}
	return usagef("%s: %s", command, strings.Join(words, "; "))
}

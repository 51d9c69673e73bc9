package cmd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// taskFlags are the flags that make the submit of one task.
type taskFlags struct {
	program  *Program
	command  string // the command that has the flags, for messages
	before   string // what stands between the command and the task, for messages
	name     string // the task type, of the arguments
	input    inputFlags
	id       string
	priority int // as noPriority where none is given
	timeout  time.Duration
	grace    time.Duration
	rerun    *bool // nil is as the type says
	labels   []string
}

// noPriority stands for a priority that is not given.
const noPriority = executor.MinPriority - 1

func (p *Program) taskFlags(command string) taskFlags {
	return taskFlags{program: p, command: command, input: inputFlags{command: command}}
}

// flags adds the flags to a command that submits.
func (t *taskFlags) flags(c *cobra.Command) {
	t.flagsOfEach(c)
	c.Flags().StringVar(&t.id, "id", "", "the id of the task, a UUID")
	complete(c, "id", cobra.NoFileCompletions)
}

// flagsOfEach adds the flags of which each task of a schedule may have the same.
func (t *taskFlags) flagsOfEach(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.input.input, "input", "", "the input as JSON, or @FILE, or - for stdin")
	f.StringArrayVar(&t.input.set, "set", nil, "a member of the input as KEY=VALUE; VALUE is JSON of a type that the member may have, or else a string; a dot in KEY goes into an object")
	f.Var(countTo(&t.priority, noPriority, executor.MinPriority, executor.MaxPriority), "priority",
		fmt.Sprintf("the priority of the task, from %d to %d; higher runs first", executor.MinPriority, executor.MaxPriority))
	f.Lookup("priority").DefValue = "that of its group, or 0"
	f.Var(span(&t.timeout, -1, 0), "timeout", "bounds the task's time; a number alone is seconds, and 0 is no bound")
	f.Lookup("timeout").DefValue = "that of its type or group"
	f.Var(span(&t.grace, -1, 0), "grace", "how long the task may go on after it was told to stop, before it is killed")
	f.Lookup("grace").DefValue = show.Exact(executor.DefaultGrace) // of its server, where no type of the program has another
	f.Var(&flagValue[*bool]{&t.rerun, parseRerun, func(*bool) string { return "" }, "bool"}, "rerun",
		"the task may run again where the server has died while it ran, because it does no harm twice; --rerun=false is never")
	f.Lookup("rerun").DefValue = "as its type says"
	f.Lookup("rerun").NoOptDefVal = "true"
	f.StringArrayVar(&t.labels, "label", nil, "a label as KEY=VALUE, which may be given again; all after the first = is the value, commas, too")
	complete(c, "set", t.completeSet)
	complete(c, "input", completeAtFile)
	complete(c, "rerun", cobra.FixedCompletions([]string{"true", "false"}, cobra.ShellCompDirectiveNoFileComp))
	for _, flag := range []string{"priority", "timeout", "grace", "label"} {
		complete(c, flag, cobra.NoFileCompletions)
	}
}

func parseRerun(text string) (*bool, error) {
	may, err := strconv.ParseBool(text)
	if err != nil {
		return nil, errors.New("want true or false")
	}
	return &may, nil
}

// params makes the submit of the flags.
func (t *taskFlags) params() (p schema.SubmitParams, err error) {
	p = schema.SubmitParams{Type: t.name}
	if t.priority != noPriority {
		p.Priority = &t.priority
	}
	switch {
	case t.timeout > 0:
		p.TimeoutMs = milliseconds(t.timeout)
	case t.timeout == 0:
		p.TimeoutMs = schema.NoTimeout
	}
	if len(t.input.set) > 0 {
		t.input.schema = t.program.inputSchemaOf(t.name)
	}
	if p.Input, err = t.input.build(os.Stdin); err != nil {
		return p, err
	}
	if t.id != "" {
		if p.ID, err = uuid.Parse(t.id); err != nil {
			return p, usagef("%s: --id %q is not a UUID, as 018f0000-0000-7000-8000-00000000000a; leave it out to have one made", t.command, t.id)
		}
	}
	if t.grace >= 0 {
		p.GraceMs = new(milliseconds(t.grace))
	}
	p.Rerun = t.rerun
	p.Labels, err = labelsOf(t.command, t.labels)
	return p, err
}

// withOwnID gives a submit an id where it has none: who made the id can tell how the task is called also
// where no answer comes, and can submit it again as the same.
func withOwnID(p *schema.SubmitParams) (err error) {
	if p.ID == uuid.Nil {
		p.ID, err = uuid.NewV7()
	}
	return err
}

// labelsOf reads the labels that were given to a command, each as KEY=VALUE.
func labelsOf(command string, texts []string) (labels map[string]string, err error) {
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("%s: --label %q: want KEY=VALUE", command, text)
		}
		if other, twice := labels[key]; twice && other != value {
			return nil, usagef("%s: --label gives %s twice, as %q and as %q; a task has one value of each", command, key, other, value)
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
	}
	return labels, nil
}

// milliseconds rounds up: a time that is given is never none.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// Package cmd is jobline's command line as a library. A program with task types
// of its own gets all of it in one line:
//
//	func main() { cmd.Main(executor.MustDefine("thumbnails", thumbnails)) }
//
// It then has serve with every flag, run, submit and the other commands of a driver,
// types, store, version and shell completion, under the name of its own file. cmd/jobline is this with no types
// of its own.
package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// Run runs one command line, without the program's name, and returns the exit
// code. Like serve, which it may be, it is meant to be called once in a process:
// serve takes stdin and stdout for itself, and run starts this program's file
// anew with the arguments "serve …".
func (p Program) Run(args []string) int {
	p.Name, p.args = p.name(), args
	out := &checkedWriter{to: os.Stdout}
	root := p.newRoot(out)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		err = out.err
	}
	code, message := exitCodeOf(err)
	if message != nil {
		fmt.Fprintf(safe(os.Stderr), "%s: %v\n", p.Name, message)
	}
	return code
}

// checkedWriter remembers the first error of a write: cobra drops those of the help.
type checkedWriter struct {
	to  io.Writer
	err error
}

// Write implements io.Writer.
func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// exitCodeOf is the exit code for an error, and the message to print, or nil.
func exitCodeOf(err error) (code int, message error) {
	if err == nil {
		return 0, nil
	}
	if c, ok := errors.AsType[exitCode](err); ok {
		return int(c), nil
	}
	if e, ok := errors.AsType[*usageError](err); ok {
		return e.code, err
	}
	return stdio.ExitFault, err
}

// exitCode is an error that ends the program with a code and prints nothing: all
// messages were printed before.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// orNil is nil for the code 0, and else the code as an error.
func (c exitCode) orNil() error {
	if c == 0 {
		return nil
	}
	return c
}

// usageError says what is wrong with a command line.
type usageError struct {
	text string
	code int // the exit code
}

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), stdio.ExitUsage}
}

// newRoot makes the command line, whose help, versions and lists go to out.
func (p *Program) newRoot(out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   p.Name,
		Short: "A job queue that any program embeds",
		Long: p.Name + " runs tasks and external commands, for people and for programs.\n" +
			"`" + p.Name + " submit` puts one into the queue of a server that all your windows share, and starts that where none runs.\n" +
			"A program spawns `" + p.Name + " serve` and speaks JSON-RPC 2.0 to it, one message per line.",
		Example: p.examples("submit -- make test", "list", "logs --follow @last", "run -- make test") +
			`  echo '{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"` + p.sampleType() + `"}}' | ` + p.Name + ` serve`,
		SilenceErrors: true, SilenceUsage: true,
		Args: knownCommand,
	}
	showVersion := root.Flags().BoolP("version", "v", false, "print the version, as "+p.Name+" version does")
	root.RunE = func(c *cobra.Command, _ []string) error {
		if *showVersion {
			return p.build().print(c.OutOrStdout(), false)
		}
		return c.Help()
	}
	root.SetOut(out)
	root.SetFlagErrorFunc(p.flagError)
	root.AddCommand(p.serveCommand(), p.runCommand(), p.typesCommand(), p.storeCommand(), p.versionCommand(), p.attachCommand(), p.shutdownCommand(), p.doctorCommand())
	root.AddCommand(p.submitCommand(), p.listCommand(), p.statusCommand(), p.waitCommand(), p.logsCommand(), p.cancelCommand(), p.retryCommand(), p.statsCommand(), p.topCommand(), p.viewCommand())
	root.AddCommand(p.explainCommand(), p.updateCommand(), p.pauseCommand(), p.resumeCommand(), p.groupsCommand())
	root.AddCommand(p.scheduleCommand(), p.unscheduleCommand(), p.schedulesCommand(), p.executorsCommand(), p.outboxCommand())
	if p.isJobline() { // it measures types that jobline ships
		root.AddCommand(p.benchCommand(), benchEchoCommand(), benchWaitCommand())
	}
	strictDefaults(root)
	return root
}

// strictDefaults makes help and completion, which cobra adds, refuse arguments that
// they do not know. By default they print their help and exit with 0.
func strictDefaults(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = knownTopic
		case "completion":
			c.Args, c.RunE = knownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
			for _, shell := range c.Commands() {
				shell.Args = noArgs
				if shell.Name() == "bash" {
					alsoPlainBash(shell)
				}
			}
		}
	}
}

// knownCommand refuses an argument that is no command of c, and suggests one with a
// similar name.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, inner := range c.Commands() {
		if !inner.Hidden {
			names = append(names, inner.Name())
		}
	}
	return usagef("%sno command is named %q; %s", commandPrefix(c), args[0], didYouMean(args[0], names, c.CommandPath()+" --help lists them"))
}

// knownTopic refuses an argument of help that is no command.
func knownTopic(help *cobra.Command, args []string) error {
	c, rest, err := help.Root().Find(args)
	if err != nil {
		return usagef("help: %v", err)
	}
	if len(rest) > 0 && !c.HasSubCommands() {
		return usagef("help: %s has no commands, such as %q; %s --help describes it", c.CommandPath(), rest[0], c.CommandPath())
	}
	return knownCommand(c, rest)
}

// commandPrefix is what a message about a command begins with. It is empty for the
// program itself, whose name comes before every message.
func commandPrefix(c *cobra.Command) string {
	if !c.HasParent() {
		return ""
	}
	return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") + ": "
}

// commandUse ends the usage of what takes a command of exec.
const commandUse = "[-- ARGUMENT...]"

// flagError makes a message of one line of an error of pflag.
func (p *Program) flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usagef("%s%v", commandPrefix(c), err)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	hint := didYouMean(unknown.GetSpecifiedName(), names, c.CommandPath()+" --help lists them")
	if short := unknown.GetSpecifiedShortnames(); len(short) > 0 {
		hint = c.CommandPath() + " --help lists the flags"
		if c.Flags().Lookup(short) != nil {
			hint = "did you mean --" + short + ", with two dashes?"
		}
	}
	if other := otherFlags[c.Name()+" --"+unknown.GetSpecifiedName()]; other != "" {
		return usagef("%sthere is no flag --%s; %s %s", commandPrefix(c), unknown.GetSpecifiedName(), p.Name, other)
	}
	if strings.HasSuffix(c.Use, commandUse) && !p.NoExec && !strings.HasPrefix(hint, "did you mean ") {
		hint += "; flags of a command come after --, as in " + c.CommandPath() + " -- make -j4"
	}
	if len(unknown.GetSpecifiedShortnames()) > 0 {
		return usagef("%s%v; %s", commandPrefix(c), err, hint)
	}
	return usagef("%sthere is no flag --%s; %s", commandPrefix(c), unknown.GetSpecifiedName(), strings.ReplaceAll(hint, "did you mean ", "did you mean --"))
}

// otherFlags say, for flags that a command does not have, which other flag or command does what the user may
// look for.
var otherFlags = map[string]string{
	"schedule --at":  "submit --at 02:30 runs a task once, and schedule NAME --cron '30 2 * * *' one each day",
	"schedule --in":  "submit --in 10m runs a task once, and schedule NAME --every 10m one each time so much has passed",
	"submit --cron":  "schedule NAME --cron '30 2 * * *' submits a task each day",
	"submit --every": "schedule NAME --every 10m submits a task each time so much has passed",
}

// didYouMean offers the closest name, or says where the names are listed.
func didYouMean(name string, known []string, otherwise string) string {
	if close := schema.Suggest(name, slices.Compact(known)); len(close) > 0 {
		return fmt.Sprintf("did you mean %s?", close[0])
	}
	return otherwise
}

// counted is a number with a noun, in the plural where it is not 1.
func counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// noArgs is cobra.NoArgs with an exit code.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, it has %q", c.Name(), args[0])
	}
	return nil
}

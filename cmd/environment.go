package cmd

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jobline/jobline/executor/store/nats"
)

// envName is the environment variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

const envPrefix = "JOBLINE_"

// taskVariable has the id of the task in which a command runs.
const taskVariable = envPrefix + "TASK_ID"

// ownVariables are not flags of serve although their names begin like those of flags.
// A server that runs in a task of another server has the first two; the project's
// tests use the third; commands find their server by the last.
var ownVariables = []string{taskVariable, "JOBLINE_SERVER_ID", "JOBLINE_CLIENTS", socketVariable}

// unknownVariables are warnings about variables of the environment that look as if
// they set a flag, and do not. The values are left out: they may be secret.
func unknownVariables(c *cobra.Command, environment []string) (warnings []string) {
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !flagOnly(f.Name) {
			known = append(known, strings.TrimPrefix(envName(f.Name), envPrefix))
		}
	})
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		short, ours := strings.CutPrefix(name, envPrefix)
		if !ours || value == "" || slices.Contains(known, short) || slices.Contains(ownVariables, name) {
			continue
		}
		hint := didYouMean(short, known, c.CommandPath()+" --help lists the flags")
		warnings = append(warnings, fmt.Sprintf("the variable %s is of no flag; %s", name, strings.ReplaceAll(hint, "did you mean ", "did you mean "+envPrefix)))
	}
	return warnings
}

// namespaceFlags are the flags of serve that are for a store that many machines share.
var namespaceFlags = []string{"store-creds", "store-role", "store-lease", "outbox"}

// flagOnly says that a flag has no variable.
func flagOnly(flag string) bool {
	return flag == "help" || flag == "ignore-env" || flag == taskStdinFlag
}

// fromEnv sets the flags that are not on the command line from the environment. It
// removes their variables from the environment: they are meant for this server,
// not for a server that one of its tasks starts. Those of a namespace mean nothing for another store:
// they are set for commands, which may start a server of a file, too.
func (o *serveOptions) fromEnv(flags *pflag.FlagSet) error {
	var errs []error
	shared := nats.IsAddress(o.store.file)
	if !flags.Changed("store") && !o.ignoreEnv {
		shared = nats.IsAddress(os.Getenv(envName("store")))
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if flagOnly(f.Name) {
			return
		}
		text := os.Getenv(envName(f.Name))
		_ = os.Unsetenv(envName(f.Name)) // a valid name, which cannot fail
		if f.Changed || text == "" || o.ignoreEnv || !shared && slices.Contains(namespaceFlags, f.Name) {
			return
		}
		if err := f.Value.Set(text); err != nil {
			errs = append(errs, usagef("%s=%q: %v", envName(f.Name), text, err))
		}
		f.Changed = true
	})
	if len(errs) > 0 {
		return errs[0] // one line is enough to go on with
	}
	return nil
}

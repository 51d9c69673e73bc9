package cmd

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// Program is a command line with task types. The zero value is jobline itself.
type Program struct {
	// Types are the program's own task types. One that has a name, or an alias,
	// of a type that jobline ships takes its place, so that a later version of
	// jobline with more types breaks no program.
	Types []executor.Type
	// NoExec leaves out exec, which runs any program, and with it serve's
	// --env-allow.
	NoExec bool
	// NoBuiltins leaves out noop, sleep, fail and the samples.
	NoBuiltins bool
	// Name is the program's name in help, messages and completion: the name of
	// its file unless given. It has no spaces.
	Name string
	// Version is what the version command, stats and the log say; what the Go
	// toolchain has recorded of the main module unless given.
	Version string

	args []string // of Run
}

// Main runs the command line of the process with the given task types beside
// those that jobline ships, and exits with its code. Program has more to choose.
func Main(types ...executor.Type) { Program{Types: types}.Main() }

// Main runs the command line of the process, and exits with its code.
func (p Program) Main() {
	uuid.EnableRandPool() // ids are no secrets; it must come before all goroutines that make some
	os.Exit(p.Run(os.Args[1:]))
}

// name is the name to show.
func (p *Program) name() string {
	if p.Name != "" {
		return p.Name
	}
	candidates := []string{}
	if len(os.Args) > 0 {
		candidates = append(candidates, strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		candidates = append(candidates, filepath.Base(info.Path))
	}
	for _, name := range candidates {
		// Base makes "." of nothing, and cobra takes the first word for the name.
		if name != "." && name != string(filepath.Separator) && !strings.ContainsAny(name, " \t\n") {
			return name
		}
	}
	return "jobline"
}

// isJobline says that the program has all of the types that jobline ships, and
// no others.
func (p *Program) isJobline() bool { return len(p.Types) == 0 && !p.NoExec && !p.NoBuiltins }

// examples are lines of help, which show types that jobline ships: where some
// of them are left out, they show a type of the program.
func (p *Program) examples(lines ...string) string {
	if p.NoExec || p.NoBuiltins {
		lines = []string{"run " + p.sampleType()}
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("  " + p.Name + " " + line + "\n")
	}
	return b.String()
}

// sampleType is a task type for examples.
func (p *Program) sampleType() string {
	switch {
	case !p.NoBuiltins:
		return "noop"
	case len(p.Types) > 0:
		return p.Types[0].Name()
	case !p.NoExec:
		return "exec"
	}
	return "TYPE"
}

// driverExamples are lines of help for the commands that act on an executor, which
// work with any types.
func (p *Program) driverExamples(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("  " + p.Name + " " + line + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

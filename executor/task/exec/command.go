package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/jobline/jobline/schema"
)

// The most bytes of a program's name, and of its path, that a message shows.
const (
	maxName = 64
	maxPath = 512
)

// processLimits names the limits that can keep a process or thread from being made.
const processLimits = "ulimit -u, ulimit -v, pids.max of a control group"

// command is a command that is ready to be started.
type command struct {
	name  string // for messages: the base of argv[0]
	given string // for messages about a failed start: argv[0]
	path  string // absolute
	dir   string // absolute, or "" for this process's own
	argv  []string
	env   []string
	pty   bool
	mark  mark
}

// command checks an input and finds its program.
func (c *Runner) command(in *Input, task string) (*command, error) {
	if err := check(in); err != nil {
		return nil, err
	}
	p := &command{
		name: printable(filepath.Base(in.Argv[0]), maxName), given: printable(in.Argv[0], maxPath),
		argv: in.Argv, pty: in.PTY, mark: c.mark(task),
	}
	if in.Dir != "" {
		dir, err := absolute(in.Dir)
		if err != nil {
			return nil, spawnError(err, fmt.Sprintf("the directory %q cannot be made absolute: %v", in.Dir, err))
		}
		p.dir = dir
	}
	var err error
	if p.env, err = c.environ(in, p.mark, shellDir(p.dir)); err != nil {
		return nil, err
	}
	if p.pty && lookupEnv(p.env, termVar) == "" {
		p.env = append(p.env, termVar+"="+defaultTerm)
	}
	path, err := p.find(in.Argv[0])
	if err != nil {
		return nil, err
	}
	p.path = path
	return p, nil
}

// check refuses what no system call takes, or what one would take for something
// else.
func check(in *Input) error {
	if len(in.Argv) == 0 || in.Argv[0] == "" {
		return invalid("argv must begin with the name of a program")
	}
	for i, arg := range in.Argv {
		if strings.ContainsRune(arg, 0) {
			return invalid(fmt.Sprintf("argv[%d] has a NUL byte in it", i))
		}
	}
	if strings.ContainsRune(in.Dir, 0) {
		return invalid("dir has a NUL byte in it")
	}
	if !slices.Contains([]string{"", schema.Stderr.String(), Ordered, schema.Stdout.String()}, in.Stderr) {
		return invalid(fmt.Sprintf("stderr is %q: want stderr, ordered or stdout", printable(in.Stderr, maxName)))
	}
	if err := checkTerminal(in); err != nil {
		return err
	}
	for name, value := range in.Env { // no name is shown, since one with "=" may hold a secret
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return invalid(`a name in env is empty, or has "=" or a NUL byte in it`)
		}
		if value != nil && strings.ContainsRune(*value, 0) {
			return invalid("the value of " + strconv.Quote(name) + " in env has a NUL byte in it")
		}
	}
	return nil
}

func invalid(message string) error { return spawnError(syscall.EINVAL, message) }

// printable shortens and cleans a name or path so that it fits into a line of
// text.
func printable(name string, most int) string {
	if len(name) > most {
		name = name[:most]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(name, string(unicode.ReplacementChar)))
}

// find returns the absolute path of a program. A name without a slash is looked
// up in the PATH that the command will have.
func (p *command) find(program string) (string, error) {
	if filepath.Base(program) != program || os.IsPathSeparator(program[0]) {
		path, err := absolute(joinDir(p.dir, program))
		if err != nil {
			return "", spawnError(err, fmt.Sprintf("%s: the working directory of the server is not known: %v; give its absolute path", p.given, err))
		}
		return path, nil
	}
	path, err := lookPath(program, p.env)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, errRelativePath):
		return "", spawnError(fs.ErrNotExist, fmt.Sprintf(
			"%q is only in a relative directory of PATH, which is not searched: give its path with a slash in it", p.name))
	case errors.Is(err, fs.ErrPermission):
		return "", spawnError(err, fmt.Sprintf("%q is in PATH, as %q, but %s", p.name, path, whyDenied(path)))
	case lookupEnv(p.env, "PATH") == "":
		return "", spawnError(fs.ErrNotExist, fmt.Sprintf(
			"%q is not in PATH, which is not set: set it, or give its absolute path%s", p.name, p.shellHint()))
	default:
		return "", spawnError(fs.ErrNotExist, fmt.Sprintf(
			"%q is not in PATH: install it, or give its absolute path%s", p.name, p.shellHint()))
	}
}

package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// What of a program's name, and of its path, is put in messages, in bytes.
const (
	maxName = 64
	maxPath = 512
)

// roomLimits are the limits that leave no room for a process or a thread.
const roomLimits = "ulimit -u, ulimit -v, pids.max of a control group"

// plan is a command as it is to be started.
type plan struct {
	name  string // for messages: the base of argv[0]
	given string // for messages that it could not be started: argv[0]
	path  string // absolute
	dir   string // absolute, or "" for this process's own
	argv  []string
	env   []string
	mark  mark
}

// plan checks an input and finds its program.
func (c *Command) plan(in *Input, task string) (*plan, error) {
	if err := check(in); err != nil {
		return nil, err
	}
	p := &plan{
		name: show(filepath.Base(in.Argv[0]), maxName), given: show(in.Argv[0], maxPath),
		argv: in.Argv, mark: c.mark(task),
	}
	if in.Dir != "" {
		dir, err := absolute(in.Dir)
		if err != nil {
			return nil, spawnError(err, fmt.Sprintf("the directory %q cannot be made absolute: %v", in.Dir, err))
		}
		p.dir = dir
	}
	p.env = c.environ(in, p.mark, shellDir(p.dir))
	path, err := p.find(in.Argv[0])
	if err != nil {
		return nil, err
	}
	p.path = path
	return p, nil
}

// check refuses what no system call takes, or takes for something else.
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
	if in.Stderr != "" && in.Stderr != schema.Stderr.String() && in.Stderr != schema.Stdout.String() {
		return invalid(fmt.Sprintf("stderr is %q: want stderr or stdout", show(in.Stderr, maxName)))
	}
	for name, value := range in.Env { // names are not shown: one with "=" may hold a value
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

// show makes of a name or a path what fits a line of text.
func show(name string, most int) string {
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

// find is the absolute path of a program. A name without a slash is looked
// for in the PATH that the command will have.
func (p *plan) find(program string) (string, error) {
	if filepath.Base(program) != program || os.IsPathSeparator(program[0]) {
		path, err := absolute(below(p.dir, program))
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
		return "", spawnError(err, fmt.Sprintf("%q is in PATH, as %q, but %s", p.name, path, denied(path)))
	default:
		return "", spawnError(fs.ErrNotExist, fmt.Sprintf(
			"%q is not in PATH: install it, or give its absolute path%s", p.name, p.shellHint()))
	}
}

// shellSigns are those that a name of a program hardly has, and a command line
// that was meant for a shell does.
const shellSigns = " \t\n|&;<>()$`\"'*?"

// shellHint is what to do where a whole command line was given as the name of
// a program, and "" otherwise.
func (p *plan) shellHint() string {
	if !strings.ContainsAny(p.argv[0], shellSigns) {
		return ""
	}
	return `; argv[0] is one name with all of its signs: give each argument apart, or a command line to a shell, as ["sh", "-c", "…"]`
}

// errRelativePath says that a program is where nobody should run one from
// without saying so: what is found there depends on the working directory.
var errRelativePath = errors.New("found in a relative directory")

// spawnFailure says why a command could not be started, and what to do.
func (p *plan) spawnFailure(err error) error {
	if errors.Is(err, ErrClosed) {
		return err
	}
	if failure := p.dirFailure(); failure != nil {
		return failure
	}
	return spawnError(err, p.given+" could not be started: "+p.reason(err))
}

// dirFailure says what is wrong with the working directory, or nil: the
// system gives the same errors for it as for the program.
func (p *plan) dirFailure() error {
	if p.dir == "" {
		return nil
	}
	info, err := os.Stat(p.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return spawnError(err, fmt.Sprintf("the working directory %q does not exist: create it, or give another dir", p.dir))
	case err != nil:
		return spawnError(err, fmt.Sprintf("the working directory %q: %v", p.dir, errnoOf(err)))
	case !info.IsDir():
		return spawnError(syscall.ENOTDIR, fmt.Sprintf("the working directory %q is not a directory: give another dir", p.dir))
	case !enterable(p.dir):
		return spawnError(syscall.EACCES, fmt.Sprintf("the working directory %q may not be entered: give another dir", p.dir))
	}
	return nil
}

// reason says in words what an error of starting means.
func (p *plan) reason(err error) string {
	switch errnoName(err) {
	case "ENOENT":
		switch _, statErr := os.Stat(p.path); {
		case statErr == nil:
			return "it exists, but the interpreter that its first line names, or its loader, does not"
		case !filepath.IsAbs(p.argv[0]):
			return fmt.Sprintf("there is no file %q: give another dir, or its absolute path%s", p.path, p.shellHint())
		}
		return "there is no such file" + p.shellHint()
	case "EPERM":
		return "the system forbids it: look for a sandbox, such as a seccomp filter, or a security policy"
	case "EACCES":
		return denied(p.path)
	case "ENOEXEC":
		return "it is no program of this system: a script needs a first line such as #!/bin/sh"
	case "ETXTBSY":
		return "somebody is writing to it: try again when that is over"
	case "E2BIG":
		return "its arguments and environment are too long for the system: pass the data by stdin or in a file"
	case "EMFILE", "ENFILE":
		return "too many files are open: run fewer tasks at once, or raise the limit (ulimit -n)"
	case "EAGAIN":
		return "there is no room for more processes: run fewer tasks at once, or raise the limit (" + roomLimits + ")"
	case "ENOMEM":
		return "there is not enough memory: run fewer tasks at once"
	default:
		return errnoOf(err).Error()
	}
}

// denied says in words why a program may not be executed.
func denied(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "a directory on its path may not be entered: give this user the right to"
	case err == nil && info.IsDir():
		return "it is a directory: give the path of a program"
	case err == nil && !anyMayExecute(info):
		return "it is not an executable file: chmod +x it"
	}
	return "it may not be executed: look at its mode and owner, at its first line, for a file system mounted with noexec, and for a security policy"
}

// spawnError is the failure of a command that never ran.
func spawnError(err error, message string) error {
	name := errnoName(err)
	return &executor.Failure{TaskError: schema.TaskError{
		Kind: schema.KindSpawn, Message: message, Errno: name, Retryable: passing(name),
	}}
}

// passing says whether what an errno reports may be over another time.
func passing(errno string) bool {
	switch errno {
	case "EAGAIN", "EMFILE", "ENFILE", "ENOMEM", "ETXTBSY":
		return true
	}
	return false
}

// errnoOf is the system's part of an error, without the paths around it.
func errnoOf(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

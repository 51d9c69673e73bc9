package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// errRelativePath means that a program is in a relative directory of PATH. Such a
// program is not run: which one it is depends on the working directory.
var errRelativePath = errors.New("found in a relative directory")

// spawnFailure explains why a command could not be started, and what to do
// about it.
func (p *command) spawnFailure(err error) error {
	if errors.Is(err, ErrClosed) {
		return err
	}
	if failure := p.dirFailure(); failure != nil {
		return failure
	}
	return spawnError(err, p.given+" could not be started: "+p.reason(err))
}

// dirFailure explains what is wrong with the working directory, or returns nil.
// The system reports the same errors for the directory as for the program.
func (p *command) dirFailure() error {
	if p.dir == "" {
		return nil
	}
	info, err := os.Stat(p.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return spawnError(err, fmt.Sprintf("the working directory %q does not exist: create it, or give another dir", p.dir))
	case err != nil:
		return spawnError(err, fmt.Sprintf("the working directory %q: %v", p.dir, errnoIn(err)))
	case !info.IsDir():
		return spawnError(syscall.ENOTDIR, fmt.Sprintf("the working directory %q is not a directory: give another dir", p.dir))
	case !canEnter(p.dir):
		return spawnError(syscall.EACCES, fmt.Sprintf("the working directory %q may not be entered: give another dir", p.dir))
	}
	return nil
}

// reason says in words what an error of a start means.
func (p *command) reason(err error) string {
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
		return whyDenied(p.path)
	case "ENOEXEC":
		return "it is no program of this system: a script needs a first line such as #!/bin/sh"
	case "ETXTBSY":
		return "somebody is writing to it: try again when that is over"
	case "E2BIG":
		return "its arguments and environment are too long for the system: pass the data by stdin or in a file"
	case "EMFILE", "ENFILE":
		return "too many files are open: run fewer tasks at once, or raise the limit (ulimit -n)"
	case "EAGAIN":
		return "there is no room for more processes: run fewer tasks at once, or raise the limit (" + processLimits + ")"
	case "ENOMEM":
		return "there is not enough memory: run fewer tasks at once"
	default:
		return errnoIn(err).Error()
	}
}

// whyDenied says in words why a program may not be executed.
func whyDenied(path string) string {
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

// spawnError is the error of a task whose command was never started.
func spawnError(err error, message string) error {
	name := errnoName(err)
	return &executor.Failure{TaskError: schema.TaskError{
		Kind: schema.KindSpawn, Message: message, Errno: name, Retryable: isRetryable(name),
	}}
}

// isRetryable reports whether the cause of an errno may pass with time.
func isRetryable(errno string) bool {
	switch errno {
	case "EAGAIN", "EMFILE", "ENFILE", "ENOMEM", "ETXTBSY":
		return true
	}
	return false
}

// errnoIn returns the errno within an error, without the paths around it.
func errnoIn(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

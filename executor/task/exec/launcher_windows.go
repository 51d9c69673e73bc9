package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/jobline/jobline/schema"
)

// pwdVar is a variable that programs of this system do not use.
const pwdVar = "PWD"

// killedCode is the exit code of a process that was killed.
const killedCode = 1

// cleanNames are the variables that a command gets with cleanEnv. Many programs
// do not start without those of the system.
var cleanNames = []string{
	"PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ",
	"SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "TEMP", "TMP",
	"USERNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles*",
	"NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
}

// foldName returns a name in capitals: here the case does not count in names of
// variables.
func foldName(name string) string { return strings.ToUpper(name) }

// launcher starts commands. The system ends a job when the last handle of it is
// closed, so no guard has to outlive this process.
type launcher struct{}

func newLauncher(*slog.Logger, string, int) *launcher { return &launcher{} }

func (*launcher) close() {}

func (*launcher) containment() string { return schema.ContainmentJob }

// launch starts a command and puts it into a job of its own. A process that the
// command starts before that is not in the job: Go programs cannot start a
// process stopped.
func (*launcher) launch(p *command, attr *os.ProcAttr) (*tree, error) {
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	attr.Sys = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	proc, err := os.StartProcess(p.path, p.argv, attr)
	if err != nil {
		windows.CloseHandle(job)
		return nil, err
	}
	var assigned error
	err = proc.WithHandle(func(handle uintptr) {
		assigned = windows.AssignProcessToJobObject(job, windows.Handle(handle))
	})
	if err = errors.Join(err, assigned); err != nil {
		_ = proc.Kill()
		_, _ = proc.Wait()
		windows.CloseHandle(job)
		return nil, fmt.Errorf("put it into a job: %w", err)
	}
	return &tree{pid: proc.Pid, proc: proc, job: job}, nil
}

// newJob makes a job whose processes are killed with its last handle.
func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("make a job: %w", err)
	}
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		windows.CloseHandle(job)
		return 0, fmt.Errorf("limit a job: %w", err)
	}
	return job, nil
}

// tree is a command and all its descendants.
type tree struct {
	pid   int
	proc  *os.Process
	job   windows.Handle
	state *os.ProcessState
	err   error
	signaler
}

// waitExit waits until the first process has exited.
func (t *tree) waitExit(out *streams) {
	out.copyInBackground()
	t.state, t.err = t.proc.Wait()
}

// hasExited reports whether the first process has exited.
func (t *tree) hasExited() (exited bool) {
	err := t.proc.WithHandle(func(handle uintptr) {
		event, err := windows.WaitForSingleObject(windows.Handle(handle), 0)
		exited = err == nil && event == windows.WAIT_OBJECT_0
	})
	return exited || errors.Is(err, os.ErrProcessDone)
}

// terminate sends what is nearest to a request to end. Only a program that
// shares a console with this process receives it.
func (t *tree) terminate(<-chan struct{}) {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(t.pid))
}

// waitRest is called when the first process has exited, or killed is closed. In
// either case the others are killed.
func (t *tree) waitRest(killed <-chan struct{}) bool {
	select {
	case <-killed:
		return false
	default:
		return true
	}
}

// kill kills all that is in the job.
func (t *tree) kill() bool { return windows.TerminateJobObject(t.job, killedCode) == nil }

// killProcessGroup kills the rest of the job when the first process has exited.
func (t *tree) killProcessGroup() {
	_ = windows.TerminateJobObject(t.job, killedCode)
	windows.CloseHandle(t.job)
}

func (t *tree) reap() (*os.ProcessState, error) { return t.state, t.err }

// awaitGroupEnd has nothing to wait for: the job was ended, and nothing leaves
// a job.
func (t *tree) awaitGroupEnd() bool { return true }

func (t *tree) killIdentified() bool { return true }

func (t *tree) close() {}

// signalOf returns "": there are no signals here.
func signalOf(*os.ProcessState) string { return "" }

// errnoName returns the name that other systems have for an error, or "".
func errnoName(err error) string {
	switch {
	case errors.Is(err, windows.ERROR_BAD_EXE_FORMAT):
		return "ENOEXEC"
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION):
		return "ETXTBSY"
	case errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES):
		return "EMFILE"
	case errors.Is(err, windows.ERROR_FILENAME_EXCED_RANGE):
		return "E2BIG"
	case errors.Is(err, fs.ErrNotExist):
		return "ENOENT"
	case errors.Is(err, fs.ErrPermission):
		return "EACCES"
	case errors.Is(err, syscall.EINVAL):
		return "EINVAL"
	case errors.Is(err, syscall.ENOTDIR):
		return "ENOTDIR"
	default:
		return ""
	}
}

// joinDir returns a path as seen from a directory. This system itself resolves
// ".." in the text of a path.
func joinDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// absolute returns a path that means the same in every directory.
func absolute(path string) (string, error) { return filepath.Abs(path) }

// shellDir returns a directory as the variable PWD gives it.
func shellDir(dir string) string { return dir }

// canEnter returns true: the start of a program tells whether that is so.
func canEnter(string) bool { return true }

// anyMayExecute returns true: files have no such mode here.
func anyMayExecute(fs.FileInfo) bool { return true }

// lookPath finds a program in the PATH of this process, with the extensions of
// PATHEXT.
func lookPath(program string, _ []string) (string, error) {
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrDot) {
		return "", errRelativePath
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", fs.ErrNotExist
	}
	return path, err
}

package command

import (
	"os"
	"runtime"
	"syscall"
)

// spawn starts a process that dies with this one, also when this one is
// killed with SIGKILL. The system sends a process its parent-death signal when
// the thread that made it ends, and a thread of Go ends with a goroutine that
// is locked to it. So the caller's goroutine has the thread for itself until
// unpin, when the process is gone; it spends that time in one system call.
func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	proc, err := os.StartProcess(path, argv, attr)
	if err != nil {
		runtime.UnlockOSThread()
	}
	return proc, err
}

// unpin is called once by the goroutine that called spawn, when the process
// has ended.
func unpin() { runtime.UnlockOSThread() }

package exec

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawn starts a process that dies with this one, also when this one is
// killed with SIGKILL. The system sends a process its parent-death signal when
// the thread that made it ends, and a thread of Go ends with a goroutine that
// is locked to it. So the caller's goroutine has the thread for itself until
// unlockThread, when the process is gone; it spends that time in one system call.
func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys.Pdeathsig = syscall.SIGKILL
	runtime.LockOSThread()
	block := unblockSignals()
	proc, err := os.StartProcess(path, argv, attr)
	block()
	if err != nil {
		runtime.UnlockOSThread()
	}
	return proc, err
}

// unlockThread is called once by the goroutine that called spawn, when the process
// has ended.
func unlockThread() { runtime.UnlockOSThread() }

// unblockSignals lets all signals through to this thread, until block is
// called. A process has the mask of the thread that made it, and threads of Go
// have the mask that this process was started with: a command would never hear
// the SIGTERM that somebody has blocked for the server.
func unblockSignals() (block func()) {
	var none, own unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_SETMASK, &none, &own) != nil {
		return func() {}
	}
	return func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &own, nil) }
}

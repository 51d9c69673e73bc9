package exec

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawn starts a process that dies with this one, also when this one is killed
// with SIGKILL.
//
// The system sends the parent-death signal when the thread ends that made the
// process. So the caller's goroutine is locked to its thread until
// unlockThread, which it calls when the process is gone. The thread waits for
// the process meanwhile, and has nothing else to do.
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

// unlockThread frees the thread. The goroutine that called spawn calls it once,
// when the process has ended.
func unlockThread() { runtime.UnlockOSThread() }

// unblockSignals unblocks all signals on this thread, until block is called. A
// process inherits the signal mask of the thread that makes it, and Go's
// threads have the mask that this process was started with. Where that blocks
// SIGTERM, no command would ever receive it.
func unblockSignals() (block func()) {
	var none, own unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_SETMASK, &none, &own) != nil {
		return func() {}
	}
	return func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &own, nil) }
}

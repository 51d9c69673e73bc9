//go:build unix && !linux

package exec

import "os"

// spawn starts a process. These systems have no parent-death signal, so only
// the guard ends a command when this process dies.
func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	return os.StartProcess(path, argv, attr)
}

func unlockThread() {}

// threads is empty: these systems do not count threads as processes.
type threads struct{}

func (*threads) acquire(int) bool { return true }

func (*threads) release() {}

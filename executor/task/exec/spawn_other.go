//go:build unix && !linux

package exec

import "os"

// spawn starts a process. These systems have no parent-death signal: the guard
// alone sees to it that a command ends with this process.
func spawn(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	return os.StartProcess(path, argv, attr)
}

func unlockThread() {}

// threads: these systems do not count them as processes.
type threads struct{}

func (*threads) acquire(int) bool { return true }

func (*threads) release() {}

package cmd

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives a process a group of its own.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// signalNumber is the number of a signal by its name: there are none here.
func signalNumber(string) int { return 0 }

// sameFile is not known here: pipes and consoles have no identity.
func sameFile(_, _ *os.File) bool { return false }

// runs says whether a file can be run: by its name, which is completed anyway.
func runs(info os.FileInfo) bool { return info.Mode().IsRegular() }

// canShare says whether a command can read a file that this process has: a
// process inherits no others here than the standard ones.
func canShare(*os.File) bool { return false }

// daemonize does nothing: there is no daemon here.
func daemonize(*exec.Cmd) {}

// belongsToUs is not known here.
func belongsToUs(os.FileInfo) bool { return false }

package stdio

import (
	"os"

	"golang.org/x/sys/unix"
)

// whenParentGone calls f when the parent process has died. The goroutine ends
// with the process.
func whenParentGone(f func()) {
	parent := os.Getppid()
	if parent <= 1 { // started by init, or the parent was faster
		return
	}
	fd, err := unix.PidfdOpen(parent, 0)
	if err != nil || os.Getppid() != parent {
		pollParent(parent, f)
		return
	}
	go func() {
		ended := parentEnded(fd, parent)
		unix.Close(fd)
		if ended {
			f()
		} else {
			pollParent(parent, f)
		}
	}()
}

// parentEnded waits for the end of the parent, for which a descriptor stands.
// It answers false where the descriptor tells nothing of it: a sandbox may deny
// the call, or somebody may have closed it.
func parentEnded(fd, parent int) bool {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return err == nil && os.Getppid() != parent
		}
	}
}

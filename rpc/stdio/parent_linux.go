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
		for {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, -1); err == unix.EINTR {
				continue
			}
			f()
			return
		}
	}()
}

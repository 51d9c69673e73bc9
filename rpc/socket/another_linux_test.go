package socket

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

const anotherUser = 65534

// asAnother calls f as another user, of whom the rest of the process is not.
func asAnother(t *testing.T, f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // and the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), anotherUser, ^uintptr(0)); errno != 0 {
			t.Errorf("become another user: %v", errno)
			return
		}
		f()
	}()
	<-over
}

//go:build unix

package stdio

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// surviveSIGPIPE makes a write to a closed stderr an error. The
// signal is caught, not ignored: what is ignored would be so in every child.
func surviveSIGPIPE() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// takeStdio moves stdin and stdout to descriptors of our own, which no child
// inherits, and leaves /dev/null and stderr in their places.
func takeStdio() (*pipes, error) {
	in, err := ownDescriptor(0, "stdin")
	if err != nil {
		return nil, err
	}
	out, err := ownDescriptor(1, "stdout")
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if err := unix.Dup2(int(null.Fd()), 0); err != nil {
		return nil, fmt.Errorf("replace stdin: %w", err)
	}
	if err := unix.Dup2(2, 1); err != nil {
		return nil, fmt.Errorf("replace stdout: %w", err)
	}
	return newPipes(in, out), nil
}

// whenReaderGone calls f when the reader of stdout is gone, without waiting for the next write. The goroutine
// ends with the process.
func whenReaderGone(p *pipes, f func()) {
	go func() {
		if awaitHangup(p.out.watched) {
			f()
		}
	}()
}

// awaitHangup waits until the other end of a descriptor is closed.
func awaitHangup(fd int) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd)}} // errors and hang-ups are always told
		n, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	}
}

// awaitInputEnd waits until the other end of stdin is closed, but not longer
// than most. Only a pipe or a socket has one.
func awaitInputEnd(p *pipes, most time.Duration) {
	if !p.hasDriver() {
		return
	}
	for deadline := time.Now().Add(most); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return
		}
		// Input that nobody reads any more would be told again and again, so
		// it is not asked for.
		fds := []unix.PollFd{{Fd: int32(p.in.watched), Events: hangup}}
		if n, err := unix.Poll(fds, int(left.Milliseconds())+1); err != unix.EINTR && (err != nil || n > 0) {
			return
		}
	}
}

// asItIs opens what has the name itself: not where a symbolic link leads, and without
// waiting for the other end of a pipe.
const asItIs = unix.O_NOFOLLOW | unix.O_NONBLOCK

// replaceOutput puts a file in the place of stdout and stderr, and closes its other
// descriptor.
func replaceOutput(f *os.File) error {
	err := unix.Dup2(int(f.Fd()), 1)
	if err == nil {
		err = unix.Dup2(int(f.Fd()), 2)
	}
	return errors.Join(err, f.Close())
}

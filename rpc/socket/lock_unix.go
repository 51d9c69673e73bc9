//go:build linux || darwin || freebsd

package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is how long to wait between two tries to take a lock.
const lockPause = 5 * time.Millisecond

// maxHolder is how many bytes of a lock file are read, at most.
const maxHolder = 4 << 10

// Lock is a lock of a file, which the system releases when the process ends, in
// whatever way it ends.
type Lock struct{ file *os.File }

// TryLock takes the lock of a file, which it makes if it does not exist. It answers nil if another process
// holds the lock. The file stays when the lock is released: a process that waits for it may have opened it.
func TryLock(path string) (*Lock, error) {
	if err := notOurs(path, 0); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Lock{f}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, f.Close()
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if l.moved() { // whoever removed the file has another
		return nil, l.Release()
	}
	return l, nil
}

// moved reports whether the file of the lock was removed or replaced. Then it keeps
// no other process out.
func (l *Lock) moved() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Lstat(l.file.Name())
	return err != nil || !os.SameFile(ours, there)
}

// Release releases the lock. To close the file is not enough: a child process that
// is just being started also has it open until its command begins.
func (l *Lock) Release() error {
	return errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
}

// sayWho writes into the file of the lock which process holds it.
func (l *Lock) sayWho() error {
	text := fmt.Sprintf("process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// Holder is how the process that serves a socket describes itself, or "" where none
// does.
func Holder(path string) (string, error) {
	l, err := TryLock(LockPath(path))
	switch {
	case errors.Is(err, fs.ErrNotExist): // there is no folder
		return "", nil
	case err != nil:
		return "", err
	case l != nil:
		return "", l.Release()
	}
	return holderOf(LockPath(path)), nil
}

// AwaitEnd waits until the process that calls itself holder serves the socket no more.
func AwaitEnd(ctx context.Context, path, holder string) error {
	for {
		now, err := Holder(path)
		if err != nil || now != holder {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockPause):
		}
	}
}

// holderOf is the text that the holder of a lock has written with sayWho.
func holderOf(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		defer f.Close()
		if text, err := io.ReadAll(io.LimitReader(f, maxHolder)); err == nil && len(text) > 0 {
			return strings.TrimSpace(string(text))
		}
	}
	return "another process"
}

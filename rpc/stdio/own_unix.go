//go:build unix

package stdio

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptor is stdin or stdout under another number, which no child inherits.
type descriptor struct {
	io.ReadWriteCloser
	watched int  // a duplicate to poll, which is never closed
	isPipe  bool // it is a pipe or a socket: another program may be at its end
}

// ownDescriptor makes a descriptor for stdin or stdout. A read of it can be
// interrupted, a goroutine that waits for it holds no thread where the system
// allows that, and other processes that share the file see no change of it.
func ownDescriptor(fd int, name string) (descriptor, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", name, err)
	}
	watched, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", name, err)
	}
	kind := st.Mode & unix.S_IFMT
	d := descriptor{watched: watched, isPipe: kind == unix.S_IFIFO || kind == unix.S_IFSOCK}
	if fresh, ok := reopen(fd, &st); ok {
		f := os.NewFile(uintptr(fresh), name)
		raw, err := f.SyscallConn()
		if err != nil {
			return descriptor{}, fmt.Errorf("%s: %w", name, err)
		}
		d.ReadWriteCloser = &ownFile{f, raw}
		return d, nil
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", name, err)
	}
	if d.isPipe {
		d.ReadWriteCloser, err = newSharedDescriptor(dup, kind == unix.S_IFSOCK)
		if err != nil {
			return descriptor{}, fmt.Errorf("%s: %w", name, err)
		}
		return d, nil
	}
	d.ReadWriteCloser = os.NewFile(uintptr(dup), name)
	return d, nil
}

// reopen opens a pipe or a terminal again, through /proc. The new open file
// description is this process's alone, so it may have O_NONBLOCK. It fails for a
// file of another user, without a usable /proc, and for sockets. The access mode is
// the old one's: a FIFO that is open for reading and writing never ends.
func reopen(fd int, old *unix.Stat_t) (fresh int, ok bool) {
	switch old.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
	case unix.S_IFCHR:
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == unix.ENOTTY {
			return 0, false // opening another device anew may have effects
		}
	default:
		return 0, false
	}
	mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return 0, false
	}
	flags := mode&unix.O_ACCMODE | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	fresh, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags, 0)
	if err != nil {
		return 0, false
	}
	var st unix.Stat_t
	if unix.Fstat(fresh, &st) != nil || st.Dev != old.Dev || st.Ino != old.Ino || st.Rdev != old.Rdev || st.Mode&unix.S_IFMT != old.Mode&unix.S_IFMT {
		_ = unix.Close(fresh)
		return 0, false
	}
	return fresh, true
}

// ownFile is a file whose description is ours alone and does not wait.
type ownFile struct {
	*os.File
	raw syscall.RawConn
}

// TryWrite writes as much as there is room for, without waiting. It saves the
// switch to another goroutine where the reader keeps up.
func (f *ownFile) TryWrite(b []byte) (n int, err error) {
	if rawErr := f.raw.Write(func(fd uintptr) bool {
		n, err = unix.Write(int(fd), b)
		return true
	}); rawErr != nil {
		return 0, rawErr
	}
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	}
	return max(n, 0), err
}

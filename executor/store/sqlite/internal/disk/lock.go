package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// HeldError says that another process has the store.
type HeldError struct {
	Path string
	// Holder is how the other process describes itself.
	Holder string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the store %s is held by %s; end that one, or name another file", e.Path, e.Holder)
}

// Lock is the file beside a store whose lock keeps other processes out. The system
// releases the lock when the process ends, in whatever way it ends.
type Lock struct {
	*os.File
	info fs.FileInfo
}

// Release releases the lock. To close the file is not enough: a child process that is
// just being started also has the file open until its command begins.
func (l *Lock) Release() error { return errors.Join(unlock(l.File), l.Close()) }

// Moved reports whether the lock file was removed or replaced. Then it keeps no other
// process out.
func (l *Lock) Moved() (bool, error) { return Moved(l.Name(), l.info) }

// TakeLock takes the lock of a store, and says in its file who has it.
func TakeLock(path string) (*Lock, error) { return TakeLockTo(path, "") }

// TakeLockTo is TakeLock, and says also what the process does with the store, as ", which copies it".
func TakeLockTo(path, does string) (*Lock, error) {
	for {
		lock, err := tryTake(path, does)
		if err != nil {
			return nil, err
		}
		moved, err := lock.Moved()
		if err == nil && !moved {
			return lock, nil
		}
		if err = errors.Join(err, lock.Release()); err != nil {
			return nil, err
		} // a holder has removed the file before it released the lock
	}
}

// tryTake takes the lock of the file that has its name now.
func tryTake(path, does string) (*Lock, error) {
	f, info, err := openOwned(path+lockSuffix, aPart, orRemove)
	if err != nil {
		return nil, err
	}
	lock := &Lock{f, info}
	ok, err := tryLock(f, true)
	if err == nil && !ok { // by a process that only looks, perhaps: it keeps the lock for a moment
		time.Sleep(nameWait)
		ok, err = tryLock(f, true)
	}
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock the store %s: %w", path, err), f.Close())
	case !ok:
		return nil, errors.Join(&HeldError{Path: path, Holder: whoHolds(f)}, f.Close())
	}
	if err := sayWho(f, does); err != nil && !errors.Is(err, syscall.ENOSPC) { // on a full disk it has no name, and is held all the same
		return nil, errors.Join(fmt.Errorf("lock the store %s: %w", path, err), lock.Release())
	}
	return lock, nil
}

// sayWho writes the name of this process into the lock file. It writes through the
// handle that has the lock: on Windows no other may.
func sayWho(f *os.File, does string) error {
	text := fmt.Sprintf("process %d (%s)%s\n", os.Getpid(), filepath.Base(os.Args[0]), does)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

const (
	// nameWait is how long to wait for a process that has just taken the lock to write
	// its name. Until then the file has the name of the previous holder, or none.
	nameWait = 50 * time.Millisecond
	// nameLooks is how many times to wait for nameWait while there is no name, or that of
	// a process that has ended.
	nameLooks = 20
	// maxName is the most bytes of a lock file that are read.
	maxName = 4 << 10
)

// whoHolds is the name of the process that has the lock, as it has written it. The name of
// a process that is not there is told last: it may be that of the previous holder, or the
// holder may have other process numbers, as in a container.
func whoHolds(f *os.File) string {
	name := ""
	for range nameLooks {
		time.Sleep(nameWait)
		text, err := io.ReadAll(io.NewSectionReader(f, 0, maxName))
		if err != nil {
			break
		}
		if name = strings.TrimSpace(string(text)); isThere(name) {
			return name
		}
	}
	return cmp.Or(name, "another process")
}

// isThere reports whether a name that sayWho has written is that of a process that lives.
func isThere(name string) bool {
	var pid int
	if _, err := fmt.Sscanf(name, "process %d", &pid); err != nil {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// HolderOf is how the process that holds a store describes itself, or "". It makes
// no file and does not keep the lock. Two concurrent calls do not disturb each other.
func HolderOf(path string) (found string, err error) {
	f, err := OpenToRead(path + lockSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("see who holds the store %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	free, err := tryLock(f, false)
	if err != nil {
		return "", fmt.Errorf("see who holds the store %s: %w", path, err)
	}
	if free {
		return "", unlock(f)
	}
	return whoHolds(f), nil
}

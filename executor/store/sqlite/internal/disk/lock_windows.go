package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is the byte of a lock file that is locked, far behind its text: no
// other handle can read or write what is locked, and a lock may be behind the end.
const lockedByte = 1 << 62

// tryLock locks a file, for this process alone or beside others that only Probe.
// It does not wait: false is that another has it.
func tryLock(f *os.File, alone bool) (bool, error) {
	var how uint32 = windows.LOCKFILE_FAIL_IMMEDIATELY
	if alone {
		how |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, &windows.Overlapped{OffsetHigh: lockedByte >> 32})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// unlock gives back what tryLock has locked.
func unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: lockedByte >> 32})
}

package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// anonymousFile makes a file in memory that has no name.
func anonymousFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("jobline-guard", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "jobline-guard"), nil
}

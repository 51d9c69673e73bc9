//go:build darwin || freebsd

package socket

import "golang.org/x/sys/unix"

// solLocal is the level of LOCAL_PEERCRED.
const solLocal = 0

// peerOf is the user of the process at the other end. The number of the process is
// not known here, and 0.
func peerOf(fd int) (user, pid int, err error) {
	c, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(c.Uid), 0, nil
}

package socket

import "golang.org/x/sys/unix"

// peerOf is the user of the process at the other end, and its number.
func peerOf(fd int) (user, pid int, err error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(c.Uid), int(c.Pid), nil
}

package command

import "golang.org/x/sys/unix"

// readsAtOnce bounds how often a pipe is read before the others are looked at.
// What a pipe holds, unless somebody has made it larger, and its end take three.
const readsAtOnce = 3

// follow copies what the command writes until the process that a descriptor
// stands for has exited. Pipes that nobody has kept open are at their end by
// then, which is the usual case; copyRest is for the others.
func (s *streams) follow(process int) {
	fds := [1 + len(s.out)]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	for i, p := range s.out {
		fds[1+i] = unix.PollFd{Fd: int32(p.from.fd), Events: unix.POLLIN}
	}
	// The process comes first in the list: poll looks at the pipes after it, and
	// so does not see an exit before the pipes' end.
	for fds[0].Revents == 0 {
		_, err := unix.Poll(fds[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		for i := range s.out {
			got := fds[1+i].Revents
			if got != 0 && !s.out[i].pass(got) {
				s.out[i].from.close()
				s.ended()
				fds[1+i].Fd = closedFD
			}
		}
	}
}

// pass copies some of what is in a pipe, of which poll has told what it has
// got, and answers whether more may come.
func (p *pipe) pass(got int16) bool {
	if got&unix.POLLIN == 0 {
		return false // it is empty, and nobody can write
	}
	buffer := buffers.Get().(*[copyBytes]byte)
	defer buffers.Put(buffer)
	for range readsAtOnce {
		n, err := unix.Read(p.from.fd, buffer[:])
		if n > 0 {
			_, _ = p.to.Write(buffer[:n])
		} else if err != unix.EAGAIN && err != unix.EINTR {
			return false
		}
		if got&unix.POLLHUP == 0 {
			break
		}
	}
	return true
}

package exec

import (
	"slices"

	"golang.org/x/sys/unix"
)

// readUntilExit copies the output until the process of a pidfd has exited.
// Usually nobody else has kept the pipes open, and they are at their ends by
// then. copyInBackground reads those that are not.
func (s *streams) readUntilExit(process int) {
	r := &s.ready
	if !r.opened || r.add(process, processToken) != nil {
		return
	}
	for !r.exited || len(r.pipes) > 0 {
		if !r.exited && r.await() != nil {
			return
		}
		if i, ok := r.next(); ok && s.copyAvailable(i) && (!r.exited || r.hung[i]) {
			r.pipes = append(r.pipes, i) // behind a pipe that became ready meanwhile
		}
	}
}

// copyAvailable copies one buffer from a pipe, and reports whether there may be
// more to read.
func (s *streams) copyAvailable(i int) bool {
	p := &s.out[i]
	buffer := buffers.Get().(*[copyBytes]byte)
	defer buffers.Put(buffer)
	n, err := unix.Read(p.from.fd, buffer[:])
	switch {
	case n > 0:
		_, _ = p.to.Write(buffer[:n])
		// The poller tells of what is written later. One read of a terminal may leave some.
		return n == len(buffer) || s.ready.hung[i] || s.terminal != nil
	case err == unix.EAGAIN:
		return false
	case err == unix.EINTR:
		return true
	}
	p.from.close()
	s.ended()
	return false
}

// processToken is the command's number in the poller. The pipes have numbers from
// 0 on.
const processToken = -1

// pipePoller tells which pipes can be read, in the order in which they became
// readable. The system tells no more about the order of writes to two pipes:
// where both have much to read, only which was first.
type pipePoller struct {
	queue  int // the epoll descriptor, if opened
	opened bool
	pipes  []int // those that can be read
	hung   [2]bool
	exited bool
}

// open begins to watch pipes. Where it fails, readUntilExit does nothing.
func (r *pipePoller) open(pipes []pipe) {
	queue, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	r.queue, r.opened = queue, true
	for i, p := range pipes {
		if r.add(p.from.fd, i) != nil {
			r.close()
			return
		}
	}
}

func (r *pipePoller) close() {
	if r.opened {
		unix.Close(r.queue)
		r.opened = false
	}
}

// add watches a descriptor. The queue tells once of each change.
func (r *pipePoller) add(fd, number int) error {
	return unix.EpollCtl(r.queue, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(number),
	})
}

// await notes what has changed. Where no pipe can be read it waits for a
// change.
func (r *pipePoller) await() error {
	wait := -1
	if len(r.pipes) > 0 {
		wait = 0
	}
	var events [3]unix.EpollEvent // room for all, so that output which came before an exit is read before it, too
	n, err := unix.EpollWait(r.queue, events[:], wait)
	if err == unix.EINTR {
		return nil
	}
	for _, e := range events[:max(n, 0)] {
		i := int(e.Fd)
		if i == processToken {
			r.exited = true
			continue
		}
		r.hung[i] = e.Events&unix.EPOLLHUP != 0
		if !slices.Contains(r.pipes, i) {
			r.pipes = append(r.pipes, i)
		}
	}
	return err
}

// next takes the pipe that has been readable for the longest time.
func (r *pipePoller) next() (i int, ok bool) {
	if len(r.pipes) == 0 {
		return 0, false
	}
	i = r.pipes[0]
	r.pipes = r.pipes[:copy(r.pipes, r.pipes[1:])]
	return i, true
}

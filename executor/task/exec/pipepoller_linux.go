package exec

import (
	"slices"

	"golang.org/x/sys/unix"
)

// follow copies what the command writes until the process that a descriptor
// stands for has exited. Pipes that nobody has kept open are at their end by
// then, which is the usual case; copyInBackground is for the others.
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
			r.pipes = append(r.pipes, i) // behind one that became ready meanwhile
		}
	}
}

// pass copies some of what is in a pipe, and answers whether there may be more.
func (s *streams) copyAvailable(i int) bool {
	p := &s.out[i]
	buffer := buffers.Get().(*[copyBytes]byte)
	defer buffers.Put(buffer)
	n, err := unix.Read(p.from.fd, buffer[:])
	switch {
	case n > 0:
		_, _ = p.to.Write(buffer[:n])
		return n == len(buffer) || s.ready.hung[i] // whatever comes later is told
	case err == unix.EAGAIN:
		return false
	case err == unix.EINTR:
		return true
	}
	p.from.close()
	s.ended()
	return false
}

// processToken stands for the command among the pipes, which have the numbers
// from 0 on.
const processToken = -1

// pipePoller tells which pipes can be read, in the order in which they became
// so. Of two pipes that is all that can be known of the order of writes: when
// the reader is late, and much has been written to both, only which was first.
type pipePoller struct {
	queue  int // of the system, where opened
	opened bool
	pipes  []int // that can be read
	hung   [2]bool
	exited bool
}

// open begins to note what becomes of pipes. Without it, follow does nothing.
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

// add has the queue tell of each change, and not again of what it has told.
func (r *pipePoller) add(fd, number int) error {
	return unix.EpollCtl(r.queue, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(number),
	})
}

// await notes what has changed. It waits for that where nothing can be read.
func (r *pipePoller) await() error {
	wait := -1
	if len(r.pipes) > 0 {
		wait = 0
	}
	var events [3]unix.EpollEvent // all that there can be, so that nothing stays behind an exit
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

// next is the pipe that has been ready for longest.
func (r *pipePoller) next() (i int, ok bool) {
	if len(r.pipes) == 0 {
		return 0, false
	}
	i = r.pipes[0]
	r.pipes = r.pipes[:copy(r.pipes, r.pipes[1:])]
	return i, true
}

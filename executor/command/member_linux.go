package command

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// maxHandles bounds how many processes of a tree have a descriptor here at once.
const maxHandles = 256

// member is a process of a tree: by a descriptor that stands for it and
// nobody else, or by its number alone where there is none to be had.
type member struct {
	pid   int
	group int
	start string // as of process
	fd    int    // -1 is none
}

// find lists the processes that are chosen, which are to be closed. With an
// error there may be others. It gives up as processes does.
func (t *tree) find(choice choice, stop <-chan struct{}, within time.Duration) (members []member, err error) {
	all, err := t.scan.processes(stop, within)
	for _, p := range choice(all) {
		m := member{pid: p.pid, group: p.group, start: p.start, fd: -1}
		if len(members) < maxHandles {
			if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
				m.fd = fd
			}
		}
		now, blind := t.scan.process(p.pid, false)
		if now == nil || now.start != p.start { // the number has changed hands, or may have
			closeAll([]member{m})
			err = cmp.Or(err, blind)
			continue
		}
		members = append(members, m)
	}
	return members, err
}

// ask asks all processes outside a group to end.
func ask(members []member, group int) {
	outside := slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.group == group })
	for _, s := range asking {
		signalAll(outside, s)
	}
}

func signalAll(members []member, signal unix.Signal) {
	for _, m := range members {
		if m.fd >= 0 {
			_ = unix.PidfdSendSignal(m.fd, signal, nil, 0)
		} else {
			_ = unix.Kill(m.pid, signal)
		}
	}
}

func closeAll(members []member) {
	for _, m := range members {
		if m.fd >= 0 {
			unix.Close(m.fd)
		}
	}
}

// awaitEnd waits until all processes have ended or the time has come, and
// answers those that have not ended. Who has no descriptor is left out of the
// answer: look for it again.
func awaitEnd(members []member, until time.Time) (alive []member) {
	fds := make([]unix.PollFd, len(members))
	for i, m := range members {
		fds[i] = unix.PollFd{Fd: int32(m.fd), Events: unix.POLLIN} // -1 is ignored
	}
	for left := len(members); left > 0; {
		wait := time.Until(until)
		if wait <= 0 {
			break
		}
		// +1: a rounded-down 0 would spin
		if n, err := unix.Poll(fds, int(wait.Milliseconds())+1); err != nil || n == 0 {
			continue
		}
		for i := range fds {
			if fds[i].Revents != 0 {
				fds[i].Fd, fds[i].Revents = -1, 0
				left--
			}
		}
	}
	for i, m := range members {
		if fds[i].Fd >= 0 {
			alive = append(alive, m)
		}
	}
	return alive
}

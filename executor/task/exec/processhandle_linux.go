package exec

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// maxPidfds bounds how many processes of a tree have a descriptor here at once.
const maxPidfds = 256

// member is a process of a tree: by a descriptor that stands for it and
// nobody else, or by its number alone where there is none to be had.
type processHandle struct {
	pid      int
	group    int
	start    string // as of process
	inCgroup bool   // as of process
	fd       int    // -1 is none
}

// find lists the processes that are chosen, which are to be closed. With an
// error there may be others. It gives up as processes does.
func (t *tree) find(selector selector, stop <-chan struct{}, within time.Duration) ([]processHandle, error) {
	all, err := t.processes(stop, within)
	var members []processHandle
	for _, p := range selector(all) {
		m := processHandle{pid: p.pid, group: p.group, start: p.start, inCgroup: p.inCgroup, fd: -1}
		if len(members) < maxPidfds {
			if fd, err := unix.PidfdOpen(p.pid, 0); err == nil {
				m.fd = fd
			}
		}
		members = append(members, m)
	}
	members, blind := t.confirm(members)
	return members, cmp.Or(err, blind)
}

// processes are all that a look shows, and those in the command's cgroup. Where
// the cgroup tells, it does not matter what could not be seen besides.
func (t *tree) processes(stop <-chan struct{}, within time.Duration) ([]process, error) {
	all, err := t.scan.processes(stop, within)
	inCgroup, sure := t.cgroup.pids()
	if len(inCgroup) > 0 {
		all = slices.Clone(all) // others have it, too
	}
	for i := range all {
		if pid := all[i].pid; inCgroup[pid] {
			all[i].inCgroup = true
			delete(inCgroup, pid)
		}
	}
	for pid := range inCgroup {
		group, _ := unix.Getpgid(pid)
		all = append(all, process{pid: pid, group: group, inCgroup: true})
	}
	if sure {
		return all, nil
	}
	return all, err
}

// errTreeChanged is the error of a look at processes of which some have ended since.
// They may have started others before.
var errTreeChanged = errors.New("processes have ended while they were looked at")

// confirm leaves out those whose number has changed hands, or may have, before
// it got its descriptor. With an error there may be others.
func (t *tree) confirm(members []processHandle) (kept []processHandle, err error) {
	if len(members) == 0 {
		return nil, nil
	}
	inCgroup, _ := t.cgroup.pids()
	for _, m := range members {
		same := inCgroup[m.pid]
		if !m.inCgroup {
			now, blind := t.scan.process(m.pid, false)
			same = now != nil && now.start == m.start
			err = cmp.Or(err, blind)
		}
		if same {
			kept = append(kept, m)
		} else {
			closeAll([]processHandle{m})
			err = cmp.Or(err, errTreeChanged)
		}
	}
	return kept, err
}

// ask asks all processes outside the group to end.
func (t *tree) ask(members []processHandle) {
	outside := slices.DeleteFunc(slices.Clone(members), func(m processHandle) bool { return m.group == t.pid })
	for _, s := range terminationSignals {
		t.signalAll(outside, s)
	}
}

func (t *tree) signalAll(members []processHandle, signal unix.Signal) {
	for _, m := range members {
		t.signal(m, signal)
	}
}

// signal signals a process. Where it has no descriptor, or a sandbox denies the
// call for them, it is signalled by its number, if that is still its own.
func (t *tree) signal(m processHandle, signal unix.Signal) {
	if m.fd >= 0 && (unix.PidfdSendSignal(m.fd, signal, nil, 0) == nil || ended(m.fd)) {
		return
	}
	if m.start != "" { // those without were just seen in the cgroup
		now, err := t.scan.process(m.pid, false)
		if err != nil || now == nil || now.start != m.start {
			return
		}
	}
	_ = unix.Kill(m.pid, signal)
}

// ended reports whether the process of a descriptor has ended.
func ended(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n > 0 || err != nil
}

func closeAll(members []processHandle) {
	for _, m := range members {
		if m.fd >= 0 {
			unix.Close(m.fd)
		}
	}
}

// awaitEnd waits until all processes have ended or the time has come, and
// answers those that have not ended. Who has no descriptor is left out of the
// answer: look for it again.
func awaitEnd(members []processHandle, until time.Time) (alive []processHandle) {
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

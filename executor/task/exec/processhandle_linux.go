package exec

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// maxPidfds bounds how many processes of a tree have a descriptor at once.
const maxPidfds = 256

// processHandle stands for a process of a tree: by a pidfd where there is one,
// and otherwise by its number.
type processHandle struct {
	pid      int
	group    int
	start    string // as in process
	inCgroup bool   // as in process
	fd       int    // the pidfd, or -1
}

// find returns handles of the selected processes, which the caller closes. With
// an error there may be more of them. It stops waiting as processes does.
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

// processes returns all processes that a scan shows, and those in the command's
// control group. Where the control group could be read, an error of the scan
// does not matter.
func (t *tree) processes(stop <-chan struct{}, within time.Duration) ([]process, error) {
	all, err := t.scan.processes(stop, within)
	inCgroup, sure := t.cgroup.pids()
	if len(inCgroup) > 0 {
		all = slices.Clone(all) // other trees have the same slice
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

// errTreeChanged means that processes have ended while they were looked at. They
// may have started others before.
var errTreeChanged = errors.New("processes have ended while they were looked at")

// confirm drops the handles whose numbers may have been reused before the pidfd
// was opened. With an error there may be more processes.
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

// ask sends the termination signals to all of these processes that are outside
// the process group.
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

// signal signals a process. Where there is no pidfd, or a sandbox denies the
// call, it uses the number, if the process still has that.
func (t *tree) signal(m processHandle, signal unix.Signal) {
	if m.fd >= 0 && (unix.PidfdSendSignal(m.fd, signal, nil, 0) == nil || ended(m.fd)) {
		return
	}
	if m.start != "" { // a process without it was just seen in the control group
		now, err := t.scan.process(m.pid, false)
		if err != nil || now == nil || now.start != m.start {
			return
		}
	}
	_ = unix.Kill(m.pid, signal)
}

// ended reports whether the process of a pidfd has ended.
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

// awaitEnd waits until all processes have ended, or until a time. It returns
// those that have not ended. Processes without a pidfd are not in the result:
// another scan has to look for them.
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

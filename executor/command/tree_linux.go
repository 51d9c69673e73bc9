package command

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// killWait is how long killed processes are given to be gone before they
	// count as leaked. It is a part of what the executor leaves after its grace.
	killWait = 400 * time.Millisecond
	// endPoll is how often a wait for processes looks whether it is to go on,
	// and the pause before another look where one was not possible.
	endPoll = 50 * time.Millisecond
	// maxHandles bounds how many processes of a tree have a descriptor here at once.
	maxHandles = 256
)

// waitExit waits until the first process has exited and leaves it a zombie.
// What the command writes is read meanwhile, and from then on by copyRest. A
// system that has no descriptors for processes follows nothing.
func (t *tree) waitExit(out *streams) {
	_ = t.proc.WithHandle(func(handle uintptr) { out.follow(int(handle)) })
	out.copyRest()
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, t.pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// hasExited reports whether the first process has exited.
func (t *tree) hasExited() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, t.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

// asked are the processes outside the group that terminate has signalled. One
// that is about to exit has no environment any more, so it would not be found
// again while it still has its files open.
type asked struct {
	members []member
	missed  bool // nobody could look for them
}

// terminate asks all processes of the tree to end. waitRest follows, and kill
// where that answers false.
func (t *tree) terminate(killed <-chan struct{}) {
	t.signalGroup(unix.SIGTERM)
	members, err := t.find(t.strayed, killed)
	signalAll(members, unix.SIGTERM)
	t.asked = asked{members: members, missed: err != nil}
}

// waitRest waits until no process of the tree is left, and answers false
// where killed is closed before. That nobody can look is no sign of an end.
func (t *tree) waitRest(killed <-chan struct{}) bool {
	for {
		members, err := t.find(t.owns, killed)
		if t.asked.missed {
			inGroup := func(m member) bool { return m.group == t.pid }
			signalAll(slices.DeleteFunc(slices.Clone(members), inGroup), unix.SIGTERM)
			t.asked.missed = err != nil
		}
		alive := slices.Concat(members, t.asked.members)
		if len(alive) == 0 && err == nil {
			return true
		}
		ended := awaitAll(alive, killed) && (err == nil || pause(killed))
		closeAll(members)
		if !ended {
			return false
		}
		closeAll(t.asked.members)
		t.asked.members = nil
	}
}

// awaitAll waits until all processes have ended, and answers false where
// killed is closed before. Who has no descriptor counts for one endPoll.
func awaitAll(alive []member, killed <-chan struct{}) bool {
	for len(alive) > 0 {
		select {
		case <-killed:
			return false
		default:
			alive = awaitEnd(alive, time.Now().Add(endPoll))
		}
	}
	return true
}

// pause waits for endPoll, and answers false where killed is closed before.
func pause(killed <-chan struct{}) bool {
	select {
	case <-killed:
		return false
	case <-time.After(endPoll):
		return true
	}
}

// kill kills the whole tree, also what it forks meanwhile, and answers
// whether all of it is gone. The group does not wait for a look.
func (t *tree) kill() bool {
	defer closeAll(t.asked.members)
	gone := t.wipe(t.owns, func() { t.signalGroup(unix.SIGKILL) })
	return len(awaitEnd(t.asked.members, time.Now().Add(killWait))) == 0 && gone
}

// killStrays kills the processes that have left the group. The first process
// may have been reaped.
func (t *tree) killStrays() bool {
	return t.wipe(t.marked, func() {})
}

// settled waits for the end of the group's processes, which have been killed
// and whose first one was reaped, and answers whether they are gone.
func (t *tree) settled() bool {
	if unix.Kill(-t.pid, 0) == unix.ESRCH {
		return true // the usual end
	}
	return t.gone(t.grouped, func([]member) {}) // zombies, which kill above counts, are not in it
}

// wipe kills the processes that match until there are none.
func (t *tree) wipe(match func(*process) bool, more func()) bool {
	more()
	return t.gone(match, func(members []member) {
		more()
		signalAll(members, unix.SIGKILL)
	})
}

// gone looks until no process matches, and has it dealt with those that do.
// It answers false where after killWait there are some, or nobody can look.
func (t *tree) gone(match func(*process) bool, deal func([]member)) bool {
	for until := time.Now().Add(killWait); ; {
		late := !time.Now().Before(until)
		members, err := t.find(match, nil)
		if len(members) == 0 && err == nil {
			return true
		}
		deal(members)
		if !late {
			awaitEnd(members, until)
		}
		closeAll(members)
		if late {
			return false
		}
		if err != nil {
			time.Sleep(endPoll)
		}
	}
}

func (t *tree) owns(p *process) bool    { return t.grouped(p) || t.marked(p) }
func (t *tree) strayed(p *process) bool { return !t.grouped(p) && t.marked(p) }

// grouped reports whether a process is in the command's group.
func (t *tree) grouped(p *process) bool { return p.group == t.pid }

// marked reports whether a process has the command's markers in its environment.
func (t *tree) marked(p *process) bool { return slices.Contains(p.tasks, t.mark.task) }

// member is a process of a tree: by a descriptor that stands for it and
// nobody else, or by its number alone where there is none to be had.
type member struct {
	pid   int
	group int
	fd    int // -1 is none
}

// find lists the processes that match, which are to be closed. With an error
// there may be others. It does not wait for its look once stop is closed.
func (t *tree) find(match func(*process) bool, stop <-chan struct{}) (members []member, err error) {
	all, err := t.scan.processes(stop)
	for i := range all {
		p := &all[i]
		if !match(p) {
			continue
		}
		m := member{pid: p.pid, group: p.group, fd: -1}
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

package exec

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// endPoll is how often a wait for processes checks whether it was cancelled, and
// the pause after a scan that has failed.
const endPoll = 50 * time.Millisecond

// waitExit waits until the first process has exited, and leaves it a zombie.
// Meanwhile it reads the output; copyInBackground does so afterwards, and from
// the beginning where the system has no pidfds.
func (t *tree) waitExit(out *streams) {
	_ = t.proc.WithHandle(func(handle uintptr) { out.readUntilExit(int(handle)) })
	out.copyInBackground()
	if out.ready.exited { // the pidfd has told so
		return
	}
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

// treeSnapshot is what the terminator knows of a tree: the processes of the
// latest scan. Some may have been found only by their parents. When a parent
// has ended nothing tells of its children any more, so they stay in the
// snapshot until they have ended.
type treeSnapshot struct {
	known []processHandle
	// missed is set where the scan before the first signal may have missed processes,
	// which so were not asked to end.
	missed bool
}

// terminate asks all processes of the tree to end, also stopped ones. It scans
// before that, since nothing tells of the children of a process that has ended.
// Where killed is closed by then it signals nothing. waitRest is called next,
// and then kill where that returns false.
func (t *tree) terminate(killed <-chan struct{}) {
	t.missed = incomplete(t.look(killed, t.lookWait))
	select {
	case <-killed:
		return
	default:
	}
	t.terminateGroup()
	t.ask(t.known)
}

// look updates the snapshot by a scan. After a failed scan the processes of the
// old snapshot stay in it. It stops waiting as processes does.
func (t *tree) look(stop <-chan struct{}, within time.Duration) error {
	found, err := t.find(t.wholeTree, stop, within)
	before := t.known
	t.known = found
	for _, m := range before {
		if incomplete(err) && !t.isKnown(m.pid, m.start) {
			t.known = append(t.known, m)
		} else {
			closeAll([]processHandle{m})
		}
	}
	return err
}

// waitRest waits until no process of the tree is left, and returns false where
// killed is closed before. A failed scan does not count as the end. Where scans
// can never see the processes, it waits for the first process only.
func (t *tree) waitRest(killed <-chan struct{}) bool {
	for {
		err := t.look(killed, 0)
		if t.missed {
			t.ask(t.known)
			t.missed = incomplete(err)
		}
		if len(t.known) == 0 && conclusive(err) {
			return true
		}
		if !awaitAll(t.known, killed) || incomplete(err) && !pause(killed) {
			return false
		}
	}
}

// awaitAll waits until all processes have ended, and returns false where killed
// is closed before. For a process without a pidfd it waits for one endPoll.
func awaitAll(alive []processHandle, killed <-chan struct{}) bool {
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

// pause waits for endPoll, and returns false where killed is closed before.
func pause(killed <-chan struct{}) bool {
	select {
	case <-killed:
		return false
	case <-time.After(endPoll):
		return true
	}
}

// kill kills the whole tree, also what it forks meanwhile, and reports whether
// all of it is gone. It first stops the process group, so that no process loses
// its parent before the scan has seen it. It does not wait for that scan for
// longer than lookWait.
func (t *tree) kill() bool {
	t.signalGroup(unix.SIGSTOP)
	_ = t.look(nil, t.lookWait)
	defer func() { closeAll(t.known) }()
	t.signalAll(t.known, unix.SIGKILL)
	t.signalGroup(unix.SIGKILL)
	t.cgroup.kill()
	return t.killSelected(t.wholeTree)
}

// killIdentified kills the processes that have left the process group. The
// first process may have been reaped.
func (t *tree) killIdentified() bool {
	t.cgroup.kill()
	return t.killSelected(t.identified)
}

// awaitGroupEnd waits for the ends of the processes of the group, and reports
// whether they are gone. They were killed, and the first one was reaped.
func (t *tree) awaitGroupEnd() bool {
	if !t.groupLives() {
		return true // the usual case
	}
	if t.cgroup == nil && t.scan.proc.visibility() == noneVisible {
		return t.pollGroupEnd()
	}
	return t.awaitNone(t.inProcessGroup, func([]processHandle) {}) // it leaves out zombies, which groupLives counts
}

// groupLives reports whether the group has a process, which may be a zombie.
func (t *tree) groupLives() bool { return unix.Kill(-t.pid, 0) != unix.ESRCH }

// killSelected kills the selected processes until there are none.
func (t *tree) killSelected(selector selector) bool {
	return t.awaitNone(selector, func(members []processHandle) { t.signalAll(members, unix.SIGKILL) })
}

// incomplete reports whether a scan with this error may have missed processes
// that lived all the time.
func incomplete(err error) bool { return err != nil && !errors.Is(err, errTreeChanged) }

// conclusive reports whether another scan would not show more than one with
// this error. Where scans can never see the processes, awaitGroupEnd waits for
// the group.
func conclusive(err error) bool { return err == nil || errors.Is(err, errNoProcfs) }

// awaitNone scans until no process is selected, and calls deal with those that
// are. It returns false where there still are some after killWait, or scans
// fail. A scan can miss a process that is executing a program, so after one
// with processes it takes two without any. A control group misses no process.
func (t *tree) awaitNone(selector selector, deal func([]processHandle)) bool {
	looks := 1 // how many scans without a process it takes
	for until := time.Now().Add(t.killWait); ; {
		late := !time.Now().Before(until)
		members, err := t.find(selector, nil, 0)
		if len(members) == 0 && conclusive(err) {
			if looks--; looks == 0 || late || t.cgroup != nil {
				return true
			}
			continue
		}
		looks = 2
		deal(members)
		if !late {
			awaitEnd(members, nextLook(members, until))
		}
		closeAll(members)
		if late {
			return false
		}
		if incomplete(err) {
			time.Sleep(endPoll)
		}
	}
}

// nextLook returns when to scan again for processes that have not ended by
// then. It is soon where some have no pidfd, which would tell of their ends.
func nextLook(members []processHandle, until time.Time) time.Time {
	if !slices.ContainsFunc(members, func(m processHandle) bool { return m.fd < 0 }) {
		return until
	}
	if soon := time.Now().Add(groupPoll); soon.Before(until) {
		return soon
	}
	return until
}

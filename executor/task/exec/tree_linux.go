package exec

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// endPoll is how often a wait for processes looks whether it is to go on, and
// the pause before another look where one was not possible.
const endPoll = 50 * time.Millisecond

// waitExit waits until the first process has exited and leaves it a zombie.
// What the command writes is read meanwhile, and from then on by copyInBackground. A
// system that has no descriptors for processes follows nothing.
func (t *tree) waitExit(out *streams) {
	_ = t.proc.WithHandle(func(handle uintptr) { out.readUntilExit(int(handle)) })
	out.copyInBackground()
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

// treeSnapshot is what a terminator knows of a tree: the processes of the last look, also
// those that nothing but their parents told of. A parent that has ended tells
// nothing any more, so they stay known until they have ended, too.
type treeSnapshot struct {
	known []processHandle
	// missed is whether some were not seen before the first signal, and not asked to end.
	missed bool
}

// terminate asks all processes of the tree to end, also those that are stopped.
// It looks first: who ends leaves children that nobody knows. Where killed is
// closed by then it leaves them to kill. waitRest follows, and kill where that
// answers false.
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

// look finds out what processes the tree has. After an error also those that
// were known before may be there. It gives up as processes does.
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

// waitRest waits until no process of the tree is left, and answers false
// where killed is closed before. That nobody can look at the moment is no sign
// of an end. Where the processes are never seen it does not wait for others than
// the first one.
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

// awaitAll waits until all processes have ended, and answers false where
// killed is closed before. Who has no descriptor counts for one endPoll.
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

// pause waits for endPoll, and answers false where killed is closed before.
func pause(killed <-chan struct{}) bool {
	select {
	case <-killed:
		return false
	case <-time.After(endPoll):
		return true
	}
}

// kill kills the whole tree, also what it forks meanwhile, and answers whether
// all of it is gone. A group that is stopped has no orphans before they are
// seen; its kill does not wait for a look for long.
func (t *tree) kill() bool {
	t.signalGroup(unix.SIGSTOP)
	_ = t.look(nil, t.lookWait)
	defer func() { closeAll(t.known) }()
	t.signalAll(t.known, unix.SIGKILL)
	t.signalGroup(unix.SIGKILL)
	t.cgroup.kill()
	return t.killSelected(t.wholeTree)
}

// killIdentified kills the processes that have left the group. The first process
// may have been reaped.
func (t *tree) killIdentified() bool {
	t.cgroup.kill()
	return t.killSelected(t.identified)
}

// awaitGroupEnd waits for the end of the group's processes, which have been killed
// and whose first one was reaped, and answers whether they are gone.
func (t *tree) awaitGroupEnd() bool {
	if !t.groupLives() {
		return true // the usual end
	}
	if t.cgroup == nil && t.scan.proc.visibility() == noneVisible {
		return t.pollGroupEnd()
	}
	return t.awaitNone(t.inProcessGroup, func([]processHandle) {}) // zombies, which groupLives counts, are not in it
}

// groupLives reports whether a process has the group, which zombies do, too.
func (t *tree) groupLives() bool { return unix.Kill(-t.pid, 0) != unix.ESRCH }

// killSelected kills the processes that are chosen until there are none.
func (t *tree) killSelected(selector selector) bool {
	return t.awaitNone(selector, func(members []processHandle) { t.signalAll(members, unix.SIGKILL) })
}

// incomplete reports whether an error of a look means that some processes were not
// seen that lived all the time.
func incomplete(err error) bool { return err != nil && !errors.Is(err, errTreeChanged) }

// final reports whether an error of a look leaves no hope that another would
// show more. Where the processes are never seen, awaitGroupEnd looks after the group.
func conclusive(err error) bool { return err == nil || errors.Is(err, errNoProcfs) }

// gone looks until no process is chosen, and has it dealt with those that are.
// It answers false where after killWait there are some, or nobody can look. A
// look can miss who executes a program at that moment, so where there was
// somebody it takes a second one without; a cgroup misses nobody.
func (t *tree) awaitNone(selector selector, deal func([]processHandle)) bool {
	looks := 1 // without anybody, that end this
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

// nextLook is when to look at processes again that have not ended by then: soon,
// where some have no descriptor that would tell of their ends.
func nextLook(members []processHandle, until time.Time) time.Time {
	if !slices.ContainsFunc(members, func(m processHandle) bool { return m.fd < 0 }) {
		return until
	}
	if soon := time.Now().Add(groupPoll); soon.Before(until) {
		return soon
	}
	return until
}

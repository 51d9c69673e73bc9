//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exec

import (
	"time"

	"golang.org/x/sys/unix"
)

// treeSnapshot is empty: these systems find no process outside the group.
type treeSnapshot struct{}

// scanner is empty: these systems find no process outside the group.
type scanner struct{}

func newScanner(string) *scanner { return nil }

func (*scanner) close() {}

// waitExit waits until the first process has exited and leaves it a zombie.
// Where that is not possible reap waits, and the number is free a moment early.
func (t *tree) waitExit(out *streams) {
	out.copyInBackground()
	t.awaitExit(nil)
}

// hasExited reports whether the first process has exited.
func (t *tree) hasExited() bool { return t.awaitExit(&unix.Timespec{}) }

// awaitExit reports whether the first process exits within a time; nil is no
// limit. It uses a kernel queue, since not all of these systems have a waitid
// that can do it.
func (t *tree) awaitExit(within *unix.Timespec) bool {
	queue, err := unix.Kqueue()
	if err != nil {
		return false
	}
	defer unix.Close(queue)
	unix.CloseOnExec(queue)
	event := make([]unix.Kevent_t, 1)
	unix.SetKevent(&event[0], t.pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	event[0].Fflags = unix.NOTE_EXIT
	if _, err := unix.Kevent(queue, event, nil, nil); err != nil {
		return err == unix.ESRCH
	}
	for {
		if n, err := unix.Kevent(queue, nil, event, within); err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// terminate asks all processes of the group to end. It does not find those that
// have left it: these systems do not show environments.
func (t *tree) terminate(<-chan struct{}) { t.terminateGroup() }

// waitRest waits until no process of the group is left, and returns false where
// killed is closed before.
func (t *tree) waitRest(killed <-chan struct{}) bool {
	tick := time.NewTicker(groupPoll)
	defer tick.Stop()
	for t.groupLives() {
		select {
		case <-killed:
			return false
		case <-tick.C:
		}
	}
	return true
}

// kill kills the group, and reports whether all of it is gone.
func (t *tree) kill() bool {
	t.signalGroup(unix.SIGKILL)
	return t.awaitGroupEnd()
}

// killIdentified does nothing. A process outside the group that holds the
// command's pipes is reported as leaked instead.
func (t *tree) killIdentified() bool { return true }

// awaitGroupEnd waits for the ends of the group's processes, which were killed.
func (t *tree) awaitGroupEnd() bool { return t.pollGroupEnd() }

// groupLives reports whether a process of the group can be signalled. For
// zombies the error is EPERM or ESRCH.
func (t *tree) groupLives() bool { return unix.Kill(-t.pid, 0) == nil }

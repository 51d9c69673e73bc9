//go:build unix

package exec

import (
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pwdVar = "PWD"
	// killWait is how long killed processes are given to be gone before they
	// count as leaked, and lookWait how long the first signal, and the kill,
	// wait to know of all processes. Both are a part of what the executor leaves
	// after its grace, and of what is left after a signal to this process.
	killWait = 400 * time.Millisecond
	lookWait = 50 * time.Millisecond
	// groupPoll is how often a group is looked at while it ends.
	groupPoll = 10 * time.Millisecond
)

// cleanNames is what a command gets with cleanEnv.
var cleanNames = []string{
	"PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ",
}

func foldName(name string) string { return name }

// launcher is what all commands of a Runner share.
type launcher struct {
	log      *slog.Logger
	logged   sync.Once // how processes are kept together
	guard    guard
	cgroups  cgroupPool
	scan     *scanner
	timeouts timeouts
	workers  int
	threads  threads
}

// timeouts are how long a stop waits for what it needs.
type timeouts struct{ killWait, lookWait time.Duration }

func newLauncher(log *slog.Logger, server string, workers int) *launcher {
	closeInheritedOnExec()
	return &launcher{
		log: log, guard: guard{log: log, server: server}, cgroups: newCgroupPool(log, workers), scan: newScanner(server),
		timeouts: timeouts{killWait: killWait, lookWait: lookWait}, workers: workers,
	}
}

// launch starts a command in a process group of its own, which Ctrl-C in this
// process's terminal does not reach, and without a terminal: a program that asks
// a question on /dev/tty gets an error, where it would be stopped for ever. The
// goroutine that calls launch has to reap the process.
func (h *launcher) launch(p *command, attr *os.ProcAttr) (*tree, error) {
	if !h.threads.acquire(h.workers) {
		return nil, syscall.EAGAIN
	}
	groupTable := h.prepare()
	proc, cgroup, err := h.cgroups.start(attr, func() (*os.Process, error) { return spawn(p.path, p.argv, attr) })
	if err != nil {
		h.threads.release()
		return nil, err
	}
	return &tree{
		pid: proc.Pid, mark: p.mark, proc: proc, cgroup: cgroup, cgroups: &h.cgroups, scan: h.scan, timeouts: h.timeouts,
		threads: &h.threads, groupTable: groupTable, slot: groupTable.add(proc.Pid),
	}, nil
}

// prepare makes what is needed before the first command. It answers the table
// of the guard, or nil.
func (h *launcher) prepare() *groupTable { return h.guard.ensure(h.openCgroups()) }

// openCgroups makes the control group of all commands where it can, and logs,
// once, how processes are kept together. It answers the path of the group, or "".
func (h *launcher) openCgroups() string {
	path := h.cgroups.open()
	h.logged.Do(h.logContainment)
	return path
}

func (h *launcher) close() {
	h.cgroups.close()
	h.guard.close()
	h.scan.close()
}

// tree is a command and all processes that came of it. Its pid is its group's
// number, too, and stands for nobody else until reap.
type tree struct {
	pid        int
	mark       mark
	proc       *os.Process
	cgroup     *cgroup // nil where it has none
	cgroups    *cgroupPool
	scan       *scanner
	groupTable *groupTable // of the guard; nil without one
	slot       int64
	threads    *threads
	timeouts
	treeSnapshot // of the terminator
}

// killProcessGroup kills what is left of the group when the first process has exited.
func (t *tree) killProcessGroup() {
	t.signalGroup(unix.SIGKILL)
	t.groupTable.remove(t.slot)
}

// reap frees the number of the first process, which has exited.
func (t *tree) reap() (*os.ProcessState, error) {
	defer t.threads.release()
	defer unlockThread()
	return t.proc.Wait()
}

// close is called when nothing of the command is looked for any more.
func (t *tree) close() { t.cgroups.release(t.cgroup) }

// signalGroup signals the group. That nobody is left in it is no error.
func (t *tree) signalGroup(signal unix.Signal) { _ = unix.Kill(-t.pid, signal) }

// terminationSignals are the signals that ask a process to end. One that is stopped hears
// that only when it goes on. It is made to before, too: where others of its
// group end while it is stopped, the system sends it SIGHUP.
var terminationSignals = []unix.Signal{unix.SIGCONT, unix.SIGTERM, unix.SIGCONT}

func (t *tree) terminateGroup() {
	for _, s := range terminationSignals {
		t.signalGroup(s)
	}
}

// pollGroupEnd waits for the end of the group, which has been killed and whose first
// process was reaped, and answers false where that takes longer than killWait.
func (t *tree) pollGroupEnd() bool {
	late := time.After(t.killWait)
	tick := time.NewTicker(groupPoll)
	defer tick.Stop()
	for t.groupLives() {
		select {
		case <-late:
			return false
		case <-tick.C:
		}
	}
	return true
}

// signalOf is the name of the signal that ended a process, or "".
func signalOf(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return ""
}

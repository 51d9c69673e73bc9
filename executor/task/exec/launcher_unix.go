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
	// killWait is how long killed processes may take to end before they count as
	// leaked. lookWait is how long the first signal, and the kill, wait for a scan
	// of the processes. Both have to fit into the time that the executor leaves
	// after the grace, and into the time left after a signal to this process.
	killWait = 400 * time.Millisecond
	lookWait = 50 * time.Millisecond
	// groupPoll is the pause between two looks at a group that is ending.
	groupPoll = 10 * time.Millisecond
)

// cleanNames are the variables that a command gets with cleanEnv.
var cleanNames = []string{
	"PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ",
}

func foldName(name string) string { return name }

// launcher starts commands. All commands of a Runner share it.
type launcher struct {
	log      *slog.Logger
	logged   sync.Once // logContainment was called
	guard    guard
	cgroups  cgroupPool
	scan     *scanner
	timeouts timeouts
	workers  int
	threads  threads
}

// timeouts are how long a tree waits: see the constants.
type timeouts struct{ killWait, lookWait time.Duration }

func newLauncher(log *slog.Logger, server string, workers int) *launcher {
	CloseInheritedOnExec()
	return &launcher{
		log: log, guard: guard{log: log, server: server}, cgroups: newCgroupPool(log, workers), scan: newScanner(server),
		timeouts: timeouts{killWait: killWait, lookWait: lookWait}, workers: workers,
	}
}

// launch starts a command in a process group of its own, which Ctrl-C in this
// process's terminal does not reach. Unless it has a terminal of its own it has
// none: a program that asks a question on /dev/tty gets an error, where it would be
// stopped for ever. The goroutine that calls launch has to reap the process.
func (h *launcher) launch(p *command, attr *os.ProcAttr) (*tree, error) {
	if !h.threads.acquire(h.workers) {
		return nil, syscall.EAGAIN
	}
	groupTable := h.prepare()
	proc, cgroup, err := h.cgroups.start(attr, p.pty, func() (*os.Process, error) { return spawn(p.path, p.argv, attr) })
	if err != nil {
		h.threads.release()
		return nil, err
	}
	return &tree{
		pid: proc.Pid, mark: p.mark, proc: proc, cgroup: cgroup, cgroups: &h.cgroups, scan: h.scan, timeouts: h.timeouts,
		threads: &h.threads, groupTable: groupTable, slot: groupTable.add(proc.Pid),
	}, nil
}

// prepare makes what has to be there before the first command. It returns the
// guard's table, or nil.
func (h *launcher) prepare() *groupTable { return h.guard.ensure(h.openCgroups()) }

// openCgroups makes the control group of all commands where it can. It logs,
// once, how processes are kept together. It returns the path of the group, or "".
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

// tree is a command and all its descendants. The pid of its first process is
// also the number of its process group. Nobody else can have that number before
// reap.
type tree struct {
	pid        int
	mark       mark
	proc       *os.Process
	cgroup     *cgroup // nil without one
	cgroups    *cgroupPool
	scan       *scanner
	groupTable *groupTable // of the guard; nil without one
	slot       int64
	threads    *threads
	timeouts
	treeSnapshot // the terminator's
	signaler
}

// killProcessGroup kills the rest of the process group when the first process
// has exited.
func (t *tree) killProcessGroup() {
	t.signalGroup(unix.SIGKILL)
	t.groupTable.remove(t.slot)
}

// reap waits for the first process, which has exited, and so frees its number.
func (t *tree) reap() (*os.ProcessState, error) {
	defer t.threads.release()
	defer unlockThread()
	return t.proc.Wait()
}

// close is called when nothing more is done with the processes of the command.
func (t *tree) close() { t.cgroups.release(t.cgroup) }

// signalGroup signals the process group. It is no error that the group is
// empty.
func (t *tree) signalGroup(signal unix.Signal) { _ = unix.Kill(-t.pid, signal) }

// terminationSignals are sent in turn to ask a process to end. A stopped
// process handles SIGTERM only when it is continued, hence the last SIGCONT.
// The first one is there because the system sends SIGHUP to a stopped process
// when others of its group end.
var terminationSignals = []unix.Signal{unix.SIGCONT, unix.SIGTERM, unix.SIGCONT}

func (t *tree) terminateGroup() {
	for _, s := range terminationSignals {
		t.signalGroup(s)
	}
}

// pollGroupEnd waits until the process group is empty. It was killed, and its
// first process was reaped. It returns false after killWait.
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

// signalOf returns the name of the signal that ended a process, or "".
func signalOf(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return ""
}

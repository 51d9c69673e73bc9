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

// host is what all commands of a Command share.
type host struct {
	log     *slog.Logger
	told    sync.Once // how processes are kept together
	guard   guard
	cells   cells
	scan    *scanner
	waits   waits
	workers int
	threads threads
}

// waits are limits of time.
type waits struct{ killWait, lookWait time.Duration }

func newHost(log *slog.Logger, server string, workers int) *host {
	keepInherited()
	return &host{
		log: log, guard: guard{log: log, server: server}, cells: newCells(log, workers), scan: newScanner(server),
		waits: waits{killWait: killWait, lookWait: lookWait}, workers: workers,
	}
}

// launch starts a command in a session of its own, and so in a process group
// of its own: Ctrl-C in this process's terminal is not for it, and what wants
// to ask a question on /dev/tty is told that there is no terminal, instead of
// being stopped by it for ever. The goroutine that launched it must reap it.
func (h *host) launch(p *plan, attr *os.ProcAttr) (*tree, error) {
	if !h.threads.take(h.workers) {
		return nil, syscall.EAGAIN
	}
	table := h.prepare()
	attr.Sys = &syscall.SysProcAttr{Setsid: true}
	proc, cell, err := h.cells.start(attr, func() (*os.Process, error) { return spawn(p.path, p.argv, attr) })
	if err != nil {
		h.threads.give()
		return nil, err
	}
	return &tree{
		pid: proc.Pid, mark: p.mark, proc: proc, cell: cell, cells: &h.cells, scan: h.scan, waits: h.waits,
		threads: &h.threads, table: table, slot: table.add(proc.Pid),
	}, nil
}

// prepare makes what is needed before the first command. It answers the table
// of the guard, or nil.
func (h *host) prepare() *table {
	table := h.guard.ensure(h.cells.open())
	h.told.Do(h.tell)
	return table
}

func (h *host) close() {
	h.cells.close()
	h.guard.close()
	h.scan.close()
}

// tree is a command and all processes that came of it. Its pid is its group's
// number, too, and stands for nobody else until reap.
type tree struct {
	pid     int
	mark    mark
	proc    *os.Process
	cell    *cell // nil where it has none
	cells   *cells
	scan    *scanner
	table   *table // of the guard; nil without one
	slot    int64
	threads *threads
	waits
	strays // of the ladder
}

// killRest kills what is left of the group when the first process has exited.
func (t *tree) killRest() {
	t.signalGroup(unix.SIGKILL)
	t.table.remove(t.slot)
}

// reap frees the number of the first process, which has exited.
func (t *tree) reap() (*os.ProcessState, error) {
	defer t.threads.give()
	defer unpin()
	return t.proc.Wait()
}

// close is called when nothing of the command is looked for any more.
func (t *tree) close() { t.cells.give(t.cell) }

// signalGroup signals the group. That nobody is left in it is no error.
func (t *tree) signalGroup(signal unix.Signal) { _ = unix.Kill(-t.pid, signal) }

// asking are the signals that ask a process to end. One that is stopped hears
// that only when it goes on. It is made to before, too: where others of its
// group end while it is stopped, the system sends it SIGHUP.
var asking = []unix.Signal{unix.SIGCONT, unix.SIGTERM, unix.SIGCONT}

func (t *tree) askGroup() {
	for _, s := range asking {
		t.signalGroup(s)
	}
}

// groupEnds waits for the end of the group, which has been killed and whose first
// process was reaped, and answers false where that takes longer than killWait.
func (t *tree) groupEnds() bool {
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

//go:build unix

package command

import (
	"log/slog"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const pwdVar = "PWD"

// cleanNames is what a command gets with cleanEnv.
var cleanNames = []string{
	"PATH", "HOME", "LANG", "LC_*", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ",
}

func foldName(name string) string { return name }

// host is what all commands of a Command share.
type host struct {
	guard guard
	scan  *scanner
}

func newHost(log *slog.Logger, server string) *host {
	return &host{guard: guard{log: log, server: server}, scan: newScanner(server)}
}

// launch starts a command as a process group of its own, so that a signal to
// this process's group, as Ctrl-C in a terminal sends, is not for it. The
// goroutine that launched it must reap it.
func (h *host) launch(p *plan, attr *os.ProcAttr) (*tree, error) {
	table := h.guard.ensure()
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	proc, err := spawn(p.path, p.argv, attr)
	if err != nil {
		return nil, err
	}
	return &tree{
		pid: proc.Pid, mark: p.mark, proc: proc, scan: h.scan,
		table: table, slot: table.add(proc.Pid),
	}, nil
}

func (h *host) close() {
	h.guard.close()
	h.scan.close()
}

// tree is a command and all processes that came of it. Its pid is its group's
// number, too, and stands for nobody else until reap.
type tree struct {
	pid   int
	mark  mark
	proc  *os.Process
	scan  *scanner
	table *table // of the guard; nil without one
	slot  int64
	asked asked // of the ladder
}

// killRest kills what is left of the group when the first process has exited.
func (t *tree) killRest() {
	t.signalGroup(unix.SIGKILL)
	t.table.remove(t.slot)
}

// reap frees the number of the first process, which has exited.
func (t *tree) reap() (*os.ProcessState, error) {
	defer unpin()
	return t.proc.Wait()
}

// signalGroup signals the group. That nobody is left in it is no error.
func (t *tree) signalGroup(signal unix.Signal) { _ = unix.Kill(-t.pid, signal) }

// signalOf is the name of the signal that ended a process, or "".
func signalOf(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return ""
}

//go:build unix

package cmd

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	taskexec "github.com/jobline/jobline/executor/task/exec"
)

// detach gives a process a group of its own.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalNumber is the number of a signal by its name, or 0.
func signalNumber(name string) int { return int(unix.SignalNum(name)) }

// sameFile reports whether two files are one, be it a pipe or a terminal.
func sameFile(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// runs says whether a file can be run.
func runs(info os.FileInfo) bool { return info.Mode().IsRegular() && info.Mode()&0o111 != 0 }

// canShare reports whether a command can read a file of this process. It cannot
// read a terminal: only processes in the foreground can, and a command is none.
func canShare(f *os.File) bool {
	_, err := f.Stat()
	return err == nil && !term.IsTerminal(int(f.Fd()))
}

// daemonize gives a process a session of its own: no terminal, and no signal of one.
// The process also gets no descriptor with which this one was started, such as the
// end of a pipe whose reader would wait for its end, and ignores no signal because
// this one does, as after nohup: its commands would ignore it, too.
func daemonize(c *exec.Cmd) {
	taskexec.CloseInheritedOnExec()
	taskexec.PassOnNoIgnoredSignal()
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// belongsToUs reports whether a file belongs to the user as whom this program runs.
func belongsToUs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

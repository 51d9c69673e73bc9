package exec

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A look for children to reap is made when a child has ended, but not sooner
// than reapPause after the one before. Where one was left to another it is made
// again after ever longer pauses, up to maxReapPause.
const (
	reapPause    = 20 * time.Millisecond
	maxReapPause = time.Second
)

// ReapOrphans waits for the children that the system gives to this process,
// until stop is called: orphans, where it is the first process of a PID
// namespace, as in a container, or a subreaper. Nobody else would, and they
// would stay zombies that count against the limit of processes. A child that
// the program has started by package os is left to whoever has; one that was
// started in another way, as by C code, is not told from an orphan. Where no
// children are given to this process, it does nothing; nor where package os has
// no descriptors for processes: before Linux 5.4, or where a sandbox denies one
// of their calls.
func ReapOrphans() (stop func()) {
	if !adopts() || !osHasHandles() {
		return func() {}
	}
	r := &reaper{ended: make(chan os.Signal, 1), stop: make(chan struct{})}
	signal.Notify(r.ended, unix.SIGCHLD)
	r.work.Go(r.run)
	return sync.OnceFunc(r.close)
}

// sigPidOffset is where the number of the child is in a siginfo_t: behind three
// numbers of 32 bits, as an address is aligned.
const sigPidOffset = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)

// reaper is ReapOrphans under way.
type reaper struct {
	ended chan os.Signal
	stop  chan struct{}
	work  sync.WaitGroup
}

// adopts reports whether orphans become children of this process.
func adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	var subreaper int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&subreaper)), 0, 0, 0)
	return err == nil && subreaper != 0
}

// osHasHandles reports whether package os starts processes with descriptors,
// without which its children are not told from orphans.
func osHasHandles() bool {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return false
	}
	defer func() { _ = self.Release() }()
	return self.WithHandle(func(uintptr) {}) == nil
}

func (r *reaper) close() {
	signal.Stop(r.ended)
	close(r.stop)
	r.work.Wait()
}

func (r *reaper) run() {
	again, pause := time.After(0), reapPause // some may have ended before
	for {
		select {
		case <-r.stop:
			return
		case <-r.ended:
			pause = reapPause
		case <-again:
		}
		again = nil
		if !reapAll() {
			again = time.After(pause)
			pause = min(2*pause, maxReapPause)
		}
		select {
		case <-r.stop:
			return
		case <-time.After(reapPause):
		}
	}
}

// reapAll reaps the children that were given and have ended. It answers false
// where it has left one that has ended.
func reapAll() (all bool) {
	for {
		pid := endedChild(unix.P_ALL, 0)
		if pid == 0 {
			return true
		}
		if !reapAdopted(pid) {
			break // the system always shows this one first
		}
	}
	for _, pid := range adoptedChildren() {
		if endedChild(unix.P_PID, pid) != 0 {
			reapAdopted(pid)
		}
	}
	return false
}

// endedChild is the number of a child that is to be reaped, or 0.
func endedChild(kind, id int) int {
	var info unix.Siginfo
	err := unix.Waitid(kind, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil {
		return 0
	}
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), sigPidOffset)))
}

// reapAdopted reaps a child that has ended, unless this process has a descriptor
// that stands for it, and answers whether it is reaped. Package os has one of
// each child from its start until it is waited for. The one made here comes
// first, so that the number cannot change hands during the search for others.
func reapAdopted(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	descriptors, err := os.ReadDir(procDir + "/self/fd")
	if err != nil {
		return false
	}
	for _, entry := range descriptors {
		other, err := strconv.Atoi(entry.Name())
		if err == nil && other != fd && endedChild(unix.P_PIDFD, other) == pid {
			return false
		}
	}
	err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
	return err == nil || err == unix.ECHILD
}

// adoptedChildren lists the children of the first thread, which are the given
// ones and others. Not every system can; it then lists none.
func adoptedChildren() (pids []int) {
	pid := strconv.Itoa(os.Getpid())
	text, _ := os.ReadFile(filepath.Join(procDir, "self", "task", pid, "children"))
	for word := range bytes.FieldsSeq(text) {
		if pid, err := strconv.Atoi(string(word)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

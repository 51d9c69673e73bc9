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

// The reaper looks for children when one has ended, but not sooner than reapPause
// after its latest look. While a child is there that others have to reap, it looks
// again after ever longer pauses, up to maxReapPause.
const (
	reapPause    = 20 * time.Millisecond
	maxReapPause = time.Second
)

// ReapOrphans reaps orphans until stop is called, where the system makes them
// children of this process: in the first process of a PID namespace, as in a
// container, or in a subreaper. Nothing else would reap them, and as zombies
// they count against the limit on processes.
//
// It leaves alone the children that were started with package os. It cannot
// tell a child that was started in another way, as by C code, from an orphan.
// Where this process gets no orphans it does nothing. Nor does it where package
// os has no pidfds: before Linux 5.4, or in a sandbox that denies them.
func ReapOrphans() (stop func()) {
	if !adopts() || !osHasHandles() {
		return func() {}
	}
	r := &reaper{ended: make(chan os.Signal, 1), stop: make(chan struct{})}
	signal.Notify(r.ended, unix.SIGCHLD)
	r.work.Go(r.run)
	return sync.OnceFunc(r.close)
}

// sigPidOffset is the offset of the child's number in a siginfo_t: behind three
// numbers of 32 bits, with the alignment of an address.
const sigPidOffset = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)

// reaper is a running ReapOrphans.
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

// osHasHandles reports whether package os starts processes with pidfds. Without
// them its children cannot be told from orphans.
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

// reapAll reaps all orphans that have ended. It returns false where there is
// another child that has ended.
func reapAll() (all bool) {
	for {
		pid := endedChild(unix.P_ALL, 0)
		if pid == 0 {
			return true
		}
		if !reapAdopted(pid) {
			break // waitid would return this one again and again
		}
	}
	for _, pid := range adoptedChildren() {
		if endedChild(unix.P_PID, pid) != 0 {
			reapAdopted(pid)
		}
	}
	return false
}

// endedChild returns the number of a child that can be reaped, or 0.
func endedChild(kind, id int) int {
	var info unix.Siginfo
	err := unix.Waitid(kind, id, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil {
		return 0
	}
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), sigPidOffset)))
}

// reapAdopted reaps a child that has ended, unless another pidfd of this
// process stands for it, and reports whether it did. Package os has a pidfd of
// each child until it is waited for. The one that is opened here keeps the
// number from being reused during the search for others.
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

// adoptedChildren lists the children of the first thread: the orphans, and
// maybe others. On some systems it lists none.
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

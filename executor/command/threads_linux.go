package command

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// threadsEach is how many threads a command takes: one that waits for it,
	// and one that waits for the others of its tree when it is stopped.
	threadsEach = 2
	// threadsBeside is how many threads a server comes to take beside its
	// commands and those it starts with: for its store, its looks, its output.
	threadsBeside = 8
	// maxThreads bounds how many threads are made at once.
	maxThreads = 256
	// lowLimit is the least limit on a user's tasks that counts as room enough.
	lowLimit = 4096
)

// threads are those of the runtime that commands need. They are made before
// the first command: the runtime ends the process where it needs one and the
// system has no more, as beside a fork bomb. It keeps those it has.
type threads struct {
	made sync.Once
	most int64 // commands that there are threads for
	used atomic.Int64
}

// take is called before a command begins, and give when it is over where that
// answers true. workers is how many there are to be threads for, if the system
// has as many.
func (t *threads) take(workers int) bool {
	t.made.Do(func() {
		wanted, had := plannedThreads(workers, room())
		makeThreads(had)
		t.most = math.MaxInt64
		if had < wanted {
			t.most = int64(max(1, (had-threadsBeside)/threadsEach))
		}
	})
	if t.used.Add(1) <= t.most {
		return true
	}
	t.give()
	return false
}

func (t *threads) give() { t.used.Add(-1) }

// plannedThreads is how many threads are wanted, and how many can be had of
// the room: the commands' processes need some of it, too.
func plannedThreads(workers, room int) (wanted, had int) {
	wanted = min(threadsEach*min(workers, maxThreads)+threadsBeside, maxThreads)
	return wanted, min(wanted, room-room/3)
}

// makeThreads makes as many threads and leaves them to the runtime.
func makeThreads(n int) {
	var ready, over sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		over.Go(func() {
			runtime.LockOSThread() // so that no two have the same
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	over.Wait()
}

// room is how many more threads this process can have, as far as is known.
func room() int {
	return max(0, min(userRoom(), groupRoom(procDir+"/self/cgroup", "/sys/fs/cgroup")))
}

// userRoom is what RLIMIT_NPROC leaves; it does not count for root.
func userRoom() int {
	var limit unix.Rlimit
	user := os.Getuid()
	err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit)
	if err != nil || user == 0 || limit.Cur >= lowLimit {
		return math.MaxInt
	}
	return int(limit.Cur) - userTasks(user)
}

// userTasks is how many threads a user's processes have together.
func userTasks(user int) (sum int) {
	processes, _ := filepath.Glob(procDir + "/[0-9]*")
	for _, dir := range processes {
		info, err := os.Stat(dir)
		if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != user {
			continue
		}
		threads, _ := os.ReadDir(dir + "/task")
		sum += len(threads)
	}
	return sum
}

// groupRoom is what the limit of the control group leaves: a container's. The
// group is the one in a list, below where groups are mounted.
func groupRoom(list, mount string) int {
	text, _ := os.ReadFile(list)
	_, path, found := strings.Cut("\n"+string(text), "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	dir := filepath.Join(mount, path)
	most, limited := readNumber(dir + "/pids.max")
	used, known := readNumber(dir + "/pids.current")
	if !found || !limited || !known {
		return math.MaxInt
	}
	return most - used
}

// readNumber reads a file that has a number in it, or a word instead.
func readNumber(path string) (n int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}

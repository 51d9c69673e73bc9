package exec

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// lowLimit is the least limit on a user's tasks that counts as room enough.
	lowLimit = 4096
	// minHeadroom is what a server that has just started, its guard and one
	// command take.
	minHeadroom = 8
)

// room is how many more threads this process can have, as far as is known: by
// the limits on its user, its control groups and its address space.
func headroom() int {
	groups := taskGroups(procDir+"/self/cgroup", procDir+"/self/mountinfo")
	return max(0, min(userHeadroom(), cgroupHeadroom(groups), addressSpaceHeadroom()))
}

// CheckHeadroom answers an error where this process can have too few more threads
// and processes to run a command. It is for the start of a program: the runtime
// ends one with a stack trace when it needs a thread and cannot have it. Systems
// other than Linux are not asked.
func CheckHeadroom() error {
	if n := headroom(); n < minHeadroom {
		return fmt.Errorf("there is room for %d more threads and processes, and %d are needed: raise the limit (%s)", n, minHeadroom, processLimits)
	}
	return nil
}

// userHeadroom is what RLIMIT_NPROC leaves.
func userHeadroom() int {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit)
	if err != nil || limit.Cur >= lowLimit || isRoot() {
		return math.MaxInt
	}
	return int(limit.Cur) - userTasks(os.Getuid())
}

// isRoot reports whether this process has the rights of root, which limits on
// the number of processes do not count for. The root of another user namespace,
// such as that of a container without privileges, has not.
func isRoot() bool {
	users, _ := os.ReadFile(procDir + "/self/uid_map")
	return os.Getuid() == 0 && slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
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

// addressSpaceHeadroom is what RLIMIT_AS leaves (ulimit -v).
func addressSpaceHeadroom() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil || limit.Cur > math.MaxInt64 {
		return math.MaxInt
	}
	text, _ := os.ReadFile(procDir + "/self/statm")
	size, _, _ := strings.Cut(string(text), " ")
	pages, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return math.MaxInt
	}
	left := int64(limit.Cur) - pages*int64(os.Getpagesize())
	return int(min(left/threadBytes(), math.MaxInt32))
}

// cgroupHeadroom is what the control groups leave.
func cgroupHeadroom(groups []string) int {
	least := math.MaxInt
	for _, dir := range groups {
		most, limited := readNumber(dir + "/pids.max")
		used, known := readNumber(dir + "/pids.current")
		if limited && known {
			least = min(least, most-used)
		}
	}
	return least
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

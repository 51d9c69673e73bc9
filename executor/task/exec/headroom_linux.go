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
	// lowLimit is the least limit on a user's threads that is never too low here.
	lowLimit = 4096
	// minHeadroom is how many threads and processes a server that has just started,
	// its guard and one command take.
	minHeadroom = 8
)

// headroom returns how many more threads this process can have, by the limits
// on its user, its control groups and its address space.
func headroom() int {
	groups := taskGroups(procDir+"/self/cgroup", procDir+"/self/mountinfo")
	return max(0, min(userHeadroom(), cgroupHeadroom(groups), addressSpaceHeadroom()))
}

// CheckHeadroom returns an error where this process may have too few threads
// and processes left to run a command. Call it when a program starts: the
// runtime ends the program with a stack trace when it needs a thread and cannot
// have one. On systems other than Linux it returns nil.
func CheckHeadroom() error {
	if n := headroom(); n < minHeadroom {
		return fmt.Errorf("there is room for %d more threads and processes, and %d are needed: raise the limit (%s)", n, minHeadroom, processLimits)
	}
	return nil
}

// userHeadroom returns what RLIMIT_NPROC leaves.
func userHeadroom() int {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit)
	if err != nil || limit.Cur >= lowLimit || isRoot() {
		return math.MaxInt
	}
	return int(limit.Cur) - userTasks(os.Getuid())
}

// isRoot reports whether this process is root in the system's first user
// namespace. Limits on the number of processes do not hold for that user. They
// hold for the root of any other namespace, as in a container without
// privileges.
func isRoot() bool {
	users, _ := os.ReadFile(procDir + "/self/uid_map")
	return os.Getuid() == 0 && slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
}

// userTasks counts the threads of all processes of a user.
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

// addressSpaceHeadroom returns what RLIMIT_AS (ulimit -v) leaves.
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

// cgroupHeadroom returns what the control groups leave.
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

// readNumber reads a file that has either a number or a word in it.
func readNumber(path string) (n int, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}

package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// userHz is the unit of the times in /proc, the same on every Linux.
const userHz = 100

// canMeasure says that cpuOf and residentOf can tell.
const canMeasure = true

// cpuOf is the time that a process has spent in user and system mode, or 0
// where there is no such process.
func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, text, _ = bytes.Cut(text, []byte(") ")) // after the name, which may have anything in it
	fields := bytes.Fields(text)
	const user, system = 11, 12
	if len(fields) <= system {
		return 0
	}
	var ticks int64
	for _, f := range fields[user : system+1] {
		n, _ := strconv.ParseInt(string(f), 10, 64) // the kernel writes numbers
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHz
}

// residentOf is the resident memory of a process in bytes, or 0 where
// there is no such process.
func residentOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kilobytes int64
	_, text, _ = bytes.Cut(text, []byte("VmRSS:"))
	if _, err := fmt.Sscanf(string(text), "%d kB", &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// syncData waits until what was written is on the disk, as the durable store does.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

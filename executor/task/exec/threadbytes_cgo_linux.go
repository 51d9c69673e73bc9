//go:build cgo

package exec

import "golang.org/x/sys/unix"

const (
	// usualStack is the size of a thread's stack where there is no limit on it,
	// and arenaBytes what the C library reserves for a thread's own memory.
	usualStack = 8 << 20
	arenaBytes = 64 << 20
)

// threadBytes is how much of the address space a thread can take. The C library
// makes it where the program is built with cgo, with a stack as large as the
// limit on stacks (ulimit -s).
func threadBytes() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_STACK, &limit) != nil || limit.Cur == unix.RLIM_INFINITY {
		return usualStack + arenaBytes
	}
	return int64(limit.Cur) + arenaBytes
}
